"""`outlier-dims`: do a value's outliers lie in channels or in pixels?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import torch

from ...ir.level import Level
from ...ir.plans import Dimension, ObservedOperand, PlacedOperand, Plan, Ranges
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass


class Choice(StrEnum):
    """How the dimension is chosen."""

    AUTO = "auto"
    CHANNEL = "channel"
    PIXEL = "pixel"


def spread(ranges: Ranges) -> float:
    """D_d of DGQ eq. 4, summed over the calls of the schedule.

    D = (max_i high_i - min_i high_i) + (max_i low_i - min_i low_i) over the indices i of a dimension.
    """
    per_call = sum(part.amax(dim=1) - part.amin(dim=1) for part in (ranges.high, ranges.low))
    assert isinstance(per_call, torch.Tensor)
    return float(per_call.double().sum())


@register_pass
@dataclass(frozen=True)
class OutlierDims(Pass):
    """Chooses for each operand the dimension with the larger spread of ranges (DGQ eq. 4-5).

    dimension: `auto`, or the one that all operands get.

    Our deviation: one dimension for all calls, by the sum of D over them, since weights are permuted for
    channels once; the released code chooses anew at every timestep. Ties go to pixels, as in the code. A
    convolution's channels are shared by its taps; the code groups im2col rows.
    """

    dimension: Choice = Choice.AUTO

    name: ClassVar[str] = "outlier-dims"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})
    provides: ClassVar[frozenset[str]] = frozenset({"outlier-dims"})

    def run(self, program: Program) -> Program:
        plans = {name: self._place(plan) for name, plan in program.plans.items()}
        chosen = Counter(str(p.dimension) for p in plans.values() if isinstance(p, PlacedOperand))
        return replace(program, plans=plans).with_report(self.name, dict(chosen))

    def _place(self, plan: Plan) -> Plan:
        if not isinstance(plan, ObservedOperand):
            return plan
        if self.dimension is Choice.AUTO:
            channels = spread(plan.channel) > spread(plan.pixel)
            dimension = Dimension.CHANNEL if channels else Dimension.PIXEL
        else:
            dimension = Dimension(self.dimension.value)
        if dimension is Dimension.CHANNEL:
            return PlacedOperand(plan.operand, dimension, plan.channel, plan.channel_variation)
        return PlacedOperand(plan.operand, dimension, plan.pixel, plan.pixel_variation)
