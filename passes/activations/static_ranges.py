"""`static-ranges`: one range for all calls, as quantizers without timestep tables have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...ir.level import Level
from ...ir.plans import ObservedOperand, ObservedProbabilities, Plan, Ranges
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass


@register_pass
@dataclass(frozen=True)
class StaticRanges(Pass):
    """Merges the observed ranges of all calls of the schedule into one, which each call then gets.

    The baseline of diffusion quantizers before timestep-wise ones (Q-Diffusion, EDA-DM), to compare with.
    16-bit values between ops keep their scale per call.
    """

    name: ClassVar[str] = "static-ranges"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})

    def run(self, program: Program) -> Program:
        return replace(program, plans={name: _merge(plan) for name, plan in program.plans.items()})


def _merge(plan: Plan) -> Plan:
    if isinstance(plan, ObservedOperand):
        return ObservedOperand(plan.operand, _same(plan.channel), _same(plan.pixel))
    if isinstance(plan, ObservedProbabilities):
        return replace(plan, high=plan.high.amax().expand_as(plan.high).contiguous())
    return plan


def _same(ranges: Ranges) -> Ranges:
    low = ranges.low.amin(dim=0).expand_as(ranges.low).contiguous()
    return Ranges(low, ranges.high.amax(dim=0).expand_as(ranges.high).contiguous())
