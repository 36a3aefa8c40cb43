"""`learn-scales`: static scales of activations are learned block by block."""

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
class LearnScales(Pass):
    """Minimizes |block(x_q) - block(x)|^2.4 over the scales of the block's activations (Q-Diffusion).

    Weights stay as they are. Scales that are computed at run time have nothing to learn. Options are those of
    `fbr`; as there, a scale is learned as a factor.
    """

    iterations: int = 5000
    batch: int = 8
    rate: float = 4e-4
    samples: int = 16
    memory: float = 4.0
    cache: str | None = None
    seed: int = 0

    name: ClassVar[str] = "learn-scales"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

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
            scale_rate=self.rate,
            weights=False,
            scales=True,
            annealed=True,
            activations=True,
            penalty=0.0,
            power=2.4,
        )
