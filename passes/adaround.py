"""`adaround`: each layer's weights are rounded up or down as its output asks."""

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
class AdaRound(Pass):
    """Learns the rounding of every layer on its own, in execution order (AdaRound, as in BRECQ's code).

    Minimizes |layer(x_q) - layer(x)|^2 + penalty * sum of 1 - |2h - 1|^beta, x_q from the quantized network,
    x from the float one; beta falls from 20 to 2 behind a warm-up of a fifth of the iterations. A layer keeps
    its nearest rounding where that is no worse on the samples. Scales stay those of `quantize-weights`.

    iterations, batch, rate: of Adam. samples: of each UNet call, at most. activations: whether activations
        are quantized meanwhile; the published methods leave them in float. penalty: as above.
    memory: gigabytes of activations before files are used. cache: the folder of finished layers, the user's
        where it is none; an interrupted run goes on from there. seed: of the batches.

    Our deviation: a batch holds samples of one UNet call, since scales have a row per call.
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

    name: ClassVar[str] = "adaround"
    blocks: ClassVar[bool] = False
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})
    provides: ClassVar[frozenset[str]] = frozenset({"reconstructed-weights"})

    def __post_init__(self) -> None:
        self._recipe()

    def run(self, program: Program) -> Program:
        return reconstructed(program, self.name, self.blocks, self._recipe(), self.cache, self.memory)

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
