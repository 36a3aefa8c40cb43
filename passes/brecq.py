"""`brecq`: the weights of a block are rounded together, as the block's output asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..ir.level import Level
from ..ir.program import Program
from .base import Pass
from .reconstruction.as_pass import reconstructed
from .reconstruction.recipe import Recipe
from .registry import register_pass


@register_pass
@dataclass(frozen=True)
class Brecq(Pass):
    """Learns the rounding of whole blocks (BRECQ, as Q-Diffusion, TFMQ-DM and DGQ use it).

    Blocks are ResNet and transformer blocks, found by dataflow; layers outside are learned on their own. They
    are taken in execution order; the published code takes up-sampling blocks before the middle one. Loss and
    options are those of `adaround`.
    """

    iterations: int = 20000
    batch: int = 8
    rate: float = 1e-3
    samples: int = 16
    activations: bool = False
    penalty: float = 0.01
    memory: float = 4.0
    cache: str | None = None
    seed: int = 0

    name: ClassVar[str] = "brecq"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})
    provides: ClassVar[frozenset[str]] = frozenset({"reconstructed-weights"})

    def __post_init__(self) -> None:
        self._recipe()

    def run(self, program: Program) -> Program:
        return reconstructed(program, self.name, True, self._recipe(), self.cache, self.memory)

    def _recipe(self) -> Recipe:
        return Recipe(
            self.iterations,
            self.batch,
            self.samples,
            self.seed,
            weight_rate=self.rate,
            activations=self.activations,
            penalty=self.penalty,
        )
