"""What the passes that reconstruct have in common."""

from __future__ import annotations

import logging
from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ....ir.level import Level
from ....ir.program import Program
from ...base import Pass
from .cache import Cache, default_folder
from .compensate import Compensation
from .reconstruct import reconstruct
from .settings import LearningSettings

log = logging.getLogger("dgqc")

GIGABYTE = 1e9


@dataclass(frozen=True)
class Learning(Pass):
    """A pass that learns by gradient descent, after all decisions on ranges.

    iterations, batch, rate: of Adam. samples: of each UNet call, at most.
    memory: gigabytes of activations before files are used. cache: the folder of finished units, the user's
        where it is none; an interrupted run goes on from there. seed: of the batches.

    Our deviation: a batch holds samples of one UNet call, since scales have a row per call.
    """

    iterations: int = 1000
    batch: int = 8
    rate: float = 1e-3
    samples: int = 16
    memory: float = 4.0
    cache: str | None = None
    seed: int = 0

    blocks: ClassVar[bool] = True
    """Whether blocks are learned as a whole."""
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        self.settings()

    def run(self, program: Program) -> Program:
        return reconstructed(program, self.name, self.blocks, self.settings(), self.cache, self.memory)

    @abstractmethod
    def settings(self) -> LearningSettings:
        """How a unit is learned. Raises DgqcError for options out of place."""

    def _settings(self, **options: Any) -> LearningSettings:
        return LearningSettings(self.iterations, self.batch, self.samples, self.seed, **options)


def reconstructed(
    program: Program,
    name: str,
    blocks: bool,
    settings: LearningSettings,
    cache: str | None,
    memory: float,
    compensation: Compensation | None = None,
) -> Program:
    """The program with what was learned, and each unit's error before and after in the report of `name`.

    cache: the folder of finished units, None for the user's. memory: gigabytes of samples.
    """
    kept = Cache(Path(cache) if cache else default_folder())
    outcome = reconstruct(program, blocks, settings, kept, memory * GIGABYTE, compensation)
    if outcome.kept:
        log.info("%s: %d of %d units were found in %s.", name, outcome.kept, outcome.units, kept.folder)
    errors = {unit: [float(f"{e:.3g}") for e in pair] for unit, pair in outcome.errors.items()}
    return replace(program, plans=outcome.plans).with_report(name, {"units": len(errors), "errors": errors})
