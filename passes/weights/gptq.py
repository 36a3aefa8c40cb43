"""`gptq`: weights are rounded one input at a time, and the others compensate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .reconstruction.as_pass import reconstructed
from .reconstruction.compensate import Compensation
from .reconstruction.settings import LearningSettings

PIXELS = 1024
"""Of the samples of a call, where nothing is said: 4 of 16 x 16, one of 32 x 32 and more."""


@register_pass
@dataclass(frozen=True)
class Gptq(Pass):
    """Rounds layer by layer for the least |x w^ - y|^2, x from the quantized network, y from the float one.

    Of each layer the second moments of its inputs suffice, and Cholesky factors stand in the place of
    gradient descent: minutes where block reconstruction takes hours (GPTQ, which takes x w for y). Scales are
    then those with the least error of the codes found. A layer keeps what it came with where that is no
    worse on the samples.

    damping: by what share inputs count for more than they were. ridge: likewise, where weights move to make
        up for errors before the layer; 0 leaves those alone.
    samples: of each UNet call, at most, 0 for as many as have 1024 pixels together; calls take turns with
        them. rows: of a layer's input, at most.
    memory: gigabytes of activations before files are used. cache: the folder of finished layers, the user's
        where it is none.

    A layer of more than 2560 inputs is taken in spans of them, each of which makes up for what those before
    it left over. So a layer takes a few hundred megabytes, however many inputs it has.
    """

    damping: float = 0.03
    ridge: float = 0.3
    samples: int = 0
    rows: int = 32768
    memory: float = 1.5
    cache: str | None = None

    name: ClassVar[str] = "gptq"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})
    provides: ClassVar[frozenset[str]] = frozenset({"reconstructed-weights"})

    def __post_init__(self) -> None:
        if self.samples < 0:
            raise DgqcError(f"samples is {self.samples}, but 0 or more are needed.")
        self._compensation()

    def run(self, program: Program) -> Program:
        height, width = program.inputs[0].shape[-2:]
        samples = self.samples or max(1, PIXELS // (height * width))
        settings = LearningSettings(iterations=1, batch=1, samples=samples, seed=0, activations=True)
        return reconstructed(
            program, self.name, False, settings, self.cache, self.memory, self._compensation()
        )

    def _compensation(self) -> Compensation:
        return Compensation(self.damping, self.ridge, self.rows)
