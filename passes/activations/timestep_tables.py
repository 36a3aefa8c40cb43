"""`timestep-tables`: ranges become scales and zero points, one row per UNet call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import (
    GroupedOperand,
    ObservedActivation16,
    Plan,
    QuantizedActivation16,
    QuantizedOperand,
    ratios,
)
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass

NOTHING, SILENT = 2.0**-20, 2.0**-60
"""Of a value's largest at any call: what a call's scale is where it is 0, and below what it counts as 0."""
LARGEST_ZERO = 2**14
"""Zero points stay within +- this: a narrow range far from 0 is widened until they do."""


@register_pass
@dataclass(frozen=True)
class TimestepTables(Pass):
    """Scales and zero points of every group at every call of the schedule (DGQ eq. 6-7).

    s = (max - min) / (2^bits - 1), z = round(-min / s), as in the released code (eq. 6 of the paper divides
    by 2^bits and shifts by a real minimum). Rows are indexed by the step.

    ratio_bits: within an operand and call, group scales are integer multiples of one base scale, rounded up
        to at most 2^ratio_bits - 1 of it, so that partial sums of different groups add up exactly, and
        multiple * (code - zero) of 8-bit codes fits 16 bits with the default of 7. The base
        is chosen for the least total error. Ours; a free scale per group needs a multiplication per group
        and output.
    headroom: how far 16-bit values may exceed what calibration saw before they saturate.
    """

    ratio_bits: int = 7
    headroom: float = 2.0

    name: ClassVar[str] = "timestep-tables"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"groups"})
    provides: ClassVar[frozenset[str]] = frozenset({"tables"})

    def __post_init__(self) -> None:
        if not 1 <= self.ratio_bits <= 12:
            raise DgqcError(f"timestep-tables takes ratio-bits from 1 to 12, not {self.ratio_bits}.")
        if not 1 <= self.headroom <= 64:
            raise DgqcError(f"timestep-tables takes a headroom from 1 to 64, not {self.headroom:g}.")

    def run(self, program: Program) -> Program:
        plans = {name: self._tabulate(plan) for name, plan in program.plans.items()}
        numbers = sum(
            plan.multiple.numel() + plan.zero.numel() + plan.base.numel()
            for plan in plans.values()
            if isinstance(plan, QuantizedOperand)
        )
        return replace(program, plans=plans).with_report(
            self.name, {"calls": len(program.schedule), "numbers": numbers}
        )

    def _tabulate(self, plan: Plan) -> Plan:
        if isinstance(plan, ObservedActivation16):
            return scaled(plan, self.headroom)
        if isinstance(plan, GroupedOperand):
            return tabulate(plan, self.ratio_bits)
        return plan


def scaled(plan: ObservedActivation16, headroom: float) -> QuantizedActivation16:
    """The scales of a 16-bit value that hold `headroom` times what was seen of it."""
    ratio = torch.ones(1, dtype=torch.float64) if plan.exponent is None else ratios(plan.exponent)
    high = (plan.high.double() / ratio).amax(dim=1)
    return QuantizedActivation16(
        torch.maximum(high, floors(high)) * headroom / 32767, plan.exponent, plan.wide
    )


def floors(largest: torch.Tensor) -> torch.Tensor:
    """The least range of each call, float64 (T,), of a value with these, float64 (T,).

    One that is 0 at a call still needs a scale, a share of its largest at any call. Where it is small at a
    call and large at others, as the sample of a loop that grows, it has the call's own.
    """
    most = float(largest.max())
    some = max(most * NOTHING, 1e-9)
    own = largest.clamp(max=some)
    return torch.where(largest > max(most * SILENT, 1e-30), own, some)


def tabulate(plan: GroupedOperand, ratio_bits: int) -> QuantizedOperand:
    """Base scales, multiples and zero points of an operand's groups at each call."""
    wanted = wanted_scales(plan)
    return with_bases(plan, wanted, best_base(wanted.step, wanted.members, ratio_bits))


@dataclass(frozen=True)
class WantedScales:
    """What an operand's groups would have if scales were free.

    low: float64 (T, G), the smallest value of each group. step: float64 (T, G), its scale.
    members: float64 (G,), how many indices each serves.
    """

    low: torch.Tensor
    step: torch.Tensor
    members: torch.Tensor


def wanted_scales(plan: GroupedOperand) -> WantedScales:
    """The scales that hold what was seen of each group, at each call."""
    groups = int(plan.group.max()) + 1
    low, high = group_ranges(plan, groups)
    if plan.operand.padded:
        low, high = low.clamp(max=0), high.clamp(min=0)
    largest = torch.maximum(low.abs(), high.abs())
    floor = floors(largest.amax(dim=1))[:, None] / LARGEST_ZERO
    step = (high - low) / (2**plan.operand.bits - 1)
    step = torch.maximum(torch.maximum(step, largest / LARGEST_ZERO), floor)
    return WantedScales(low, step, torch.bincount(plan.group, minlength=groups).to(torch.float64))


def with_bases(plan: GroupedOperand, wanted: WantedScales, base: torch.Tensor) -> QuantizedOperand:
    """The operand with scales that are multiples of a base, at least those wanted. base: float64 (T,)."""
    multiple = multiples_of(wanted.step, base[:, None]).to(torch.int64)
    zero = torch.round(-wanted.low / (base[:, None] * multiple)).to(torch.int64)
    return QuantizedOperand(plan.operand, plan.dimension, plan.group, base, multiple, zero)


def multiples_of(step: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """The least whole multiples, at least 1, that reach a scale but for rounding, as float64."""
    return torch.ceil(step / base - 1e-9).clamp(min=1)


def group_ranges(plan: GroupedOperand, groups: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest minimum and largest maximum of each group's members, float64 (T, G) each."""
    calls = plan.ranges.low.shape[0]
    index = plan.group.expand(calls, -1)
    start = torch.zeros(calls, groups, dtype=torch.float64)
    low = start.scatter_reduce(1, index, plan.ranges.low.double(), "amin", include_self=False)
    high = start.scatter_reduce(1, index, plan.ranges.high.double(), "amax", include_self=False)
    return low, high


def best_base(step: torch.Tensor, members: torch.Tensor, ratio_bits: int) -> torch.Tensor:
    """The base scale of each call, float64 (T,), whose rounded-up multiples lose least.

    step: float64 (T, G), the scales wanted. members: float64 (G,), how many indices each serves.
    Rounding error grows with the square of a scale. Candidates: the largest scale as 2^(ratio_bits-1)
    .. 2^ratio_bits - 1 steps of the base; a single group is its own base.
    """
    largest = step.amax(dim=1, keepdim=True)
    top = 2**ratio_bits - 1
    if step.shape[1] == 1:
        return largest[:, 0]
    bases = largest / torch.arange(max(1, 2 ** (ratio_bits - 1)), top + 1, dtype=torch.float64)
    used = multiples_of(step[:, None, :], bases[:, :, None]) * bases[:, :, None]
    loss = (used.square() * members).sum(dim=2)
    return bases.gather(1, loss.argmin(dim=1, keepdim=True))[:, 0]
