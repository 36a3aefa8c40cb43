"""The reference as a target: the saved program itself is what runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from ...ir.caching import FeatureCache
from ...ir.program import Program
from ..target import Evidence, Runner, Target, Watch, ignore
from . import run


@dataclass(frozen=True)
class ReferenceTarget(Target):
    """Runs the integer graph in PyTorch. Nothing is emitted: a bundle's program is enough."""

    name: ClassVar[str] = "reference"
    about: ClassVar[str] = "the integer graph itself, in PyTorch; emits nothing"
    caches: ClassVar[bool] = True
    runners: ClassVar[tuple[str, ...]] = ("reference",)

    def emit(self, program: Program, directory: Path, evidence: Evidence, watch: Watch = ignore) -> None:
        """Writes nothing."""

    def one_size_alone(self) -> None:
        """Nothing is in the way where nothing is emitted."""

    def open(self, runner: str, program: Program, project: Path | None) -> Runner:
        def reference(
            inputs: Mapping[str, torch.Tensor], step: int, cache: FeatureCache | None = None
        ) -> torch.Tensor:
            return run(program, inputs, step, cache)

        return reference
