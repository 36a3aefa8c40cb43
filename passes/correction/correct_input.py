"""`correct-input`: how far the noisy picture has moved on average is taken back at each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .insert import corrected
from .pictures import Affine, Corrected, fitted


@register_pass
@dataclass(frozen=True)
class CorrectInput(Pass):
    """Subtracts from the sample what the errors of earlier calls have added to it, by channel and call.

    Input bias correction of timestep-aware correction (ECCV 2024), over pixels and pictures:

        x~ = x^ - E[x^ - x]

    x: the float network's noisy picture at this call, x^: the quantized one's, all earlier calls corrected.
    Deviation: the network sees x~, but the scheduler, which is the pipeline's, goes on with x^. So what is
    taken back here is what the network would make of the bias, not the bias itself, which `correct-output`
    takes back where it arises.

    samples: of the first call, from which pictures begin.
    """

    samples: int = 16

    name: ClassVar[str] = "correct-input"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise DgqcError(f"correct-input takes samples from 1 on, not {self.samples}.")

    def run(self, program: Program) -> Program:
        plan = fitted(program, Corrected.SAMPLE, moved, self.samples, self.name)
        report = {"largest-offset": round(float(plan.offset.abs().max()), 4)}
        return corrected(program, Corrected.SAMPLE, plan).with_report(self.name, report)


def moved(wanted: torch.Tensor, found: torch.Tensor) -> Affine:
    """The difference of means. wanted, found: float64 (C, n)."""
    return Affine(torch.ones(len(found), dtype=torch.float64), (wanted - found).mean(dim=1))
