"""`correct-output`: the mean error of the network's output is taken back at each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .insert import corrected
from .pictures import Affine, ChannelFit, Corrected, fitted

ABSOLUTE, RELATIVE, STAYING = 0.5, 0.5, 0.1
"""Weights of the errors that `tac` weighs against each other: 1 - lambda1, lambda1 and lambda2."""
LARGE = 1.0
"""Times the mean magnitude: what counts for the relative error, which small values would rule."""
SMALLEST = 1e-12


class ErrorModel(StrEnum):
    """How an output's error is described, for each channel at each call."""

    AFFINE = "affine"
    """y ~ a y^ + b, with least squares (CacheQuant's DEC)."""
    TAC = "tac"
    """y ~ K y^ (timestep-aware correction)."""
    PTQD = "ptqd"
    """y^ ~ (1 + k) y + m (PTQD)."""


@register_pass
@dataclass(frozen=True)
class CorrectOutput(Pass):
    """Multiplies the output and adds to it, by channel and call, so that errors don't add up over a picture.

    Pictures are drawn twice, by the float network and by the simulated one, and a call is fitted when all
    calls before it are corrected already (timestep-aware correction, ECCV 2024). y: of the float network on
    its own picture, y^: of the quantized one on its own. For each channel, over pixels and pictures:

        affine   y~ = a y^ + b,  a = Cov(y, y^) / Var(y^),  b = E[y] - a E[y^]
        tac      y~ = K y^,  K = ((1 - l1) E[y^ y] + l1 E[y^ / y] + l2)
                                 / ((1 - l1) E[y^^2] + l1 E[y^^2 / y^2] + l2),  l1 = 0.5, l2 = 0.1
        ptqd     y~ = (y^ - m) / (1 + k),  k = Cov(y^ - y, y) / Var(y),  m = E[y^] - (1 + k) E[y]

    Deviations. TAC sums over a picture and multiplies the relative error by its size; here all are means, so
    that pictures of any size weigh alike, and y is in units of its root mean square. TAC corrects large
    values alone; here these alone count for K, and all are corrected, since a choice for each value would be
    one more op. PTQD also takes what is left of the error's variance out of the scheduler's noise, which is
    the pipeline's. Guided pictures are drawn guided; a half of each counts as a picture of its own.

    samples: of the first call, from which pictures begin.
    """

    method: ErrorModel = ErrorModel.AFFINE
    samples: int = 16

    name: ClassVar[str] = "correct-output"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise DgqcError(f"correct-output takes samples from 1 on, not {self.samples}.")

    def run(self, program: Program) -> Program:
        plan = fitted(program, Corrected.OUTPUT, FITS[self.method], self.samples, self.name)
        least, most = plan.factor.min(), plan.factor.max()
        report = {
            "method": self.method.value,
            "factors": [round(float(one), 4) for one in (least, most)],
            "largest-offset": round(float(plan.offset.abs().max()), 4),
        }
        return corrected(program, Corrected.OUTPUT, plan).with_report(self.name, report)


def affine(wanted: torch.Tensor, found: torch.Tensor) -> Affine:
    """Least squares. wanted, found: float64 (C, n)."""
    centered = found - found.mean(dim=1, keepdim=True)
    variance = centered.square().mean(dim=1)
    covariance = (centered * wanted).mean(dim=1)
    factor = torch.where(variance > SMALLEST, covariance / variance.clamp(min=SMALLEST), 1.0)
    return Affine(factor, wanted.mean(dim=1) - factor * found.mean(dim=1))


def timestep_aware(wanted: torch.Tensor, found: torch.Tensor) -> Affine:
    """Timestep-aware correction's K. wanted, found: float64 (C, n)."""
    unit = wanted.square().mean(dim=1, keepdim=True).sqrt().clamp(min=SMALLEST)
    y, y_found = wanted / unit, found / unit
    large = (y.abs() >= LARGE * y.abs().mean(dim=1, keepdim=True)) & (y.abs() > SMALLEST)
    relative = torch.where(large, y_found / torch.where(large, y, 1.0), 0.0)
    count = large.sum(dim=1).clamp(min=1)
    crossed = ABSOLUTE * (y_found * y).mean(dim=1) + RELATIVE * relative.sum(dim=1) / count
    squared = ABSOLUTE * y_found.square().mean(dim=1) + RELATIVE * relative.square().sum(dim=1) / count
    factor = (crossed + STAYING) / (squared + STAYING)
    return Affine(factor, torch.zeros_like(factor))


def correlated(wanted: torch.Tensor, found: torch.Tensor) -> Affine:
    """PTQD's k and m. wanted, found: float64 (C, n)."""
    forth = affine(found, wanted)
    factor = torch.where(forth.factor.abs() > SMALLEST, forth.factor, 1.0)
    return Affine(1 / factor, -forth.offset / factor)


FITS: Mapping[ErrorModel, ChannelFit] = {
    ErrorModel.AFFINE: affine,
    ErrorModel.TAC: timestep_aware,
    ErrorModel.PTQD: correlated,
}
