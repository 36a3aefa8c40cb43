"""`add-headroom`: ranges wider than what was observed, for values that calibration did not see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...ir.level import Level
from ...ir.plans import ObservedActivation16, ObservedOperand, Plan, Ranges, Variation
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass


@register_pass
@dataclass(frozen=True)
class AddHeadroom(Pass):
    """Makes the ranges of operands and of 16-bit values `factor` times as wide, in both directions from zero.

    What lies beyond a range is clipped, so louder latents and weighted prompts need room; steps get as much
    coarser, which costs 20 log10(factor) dB where rounding is all the noise. Probabilities end at 1 anyway.
    """

    factor: float

    name: ClassVar[str] = "add-headroom"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})

    def __post_init__(self) -> None:
        if not 1 <= self.factor <= 1000:
            raise ValueError(f"factor is {self.factor}, but headroom is 1 to 1000 times what was observed.")

    def run(self, program: Program) -> Program:
        return replace(program, plans={name: self._wider(plan) for name, plan in program.plans.items()})

    def _wider(self, plan: Plan) -> Plan:
        if isinstance(plan, ObservedOperand):
            return replace(
                plan,
                channel=self._times(plan.channel),
                pixel=self._times(plan.pixel),
                channel_variation=self._varied(plan.channel_variation),
                pixel_variation=self._varied(plan.pixel_variation),
            )
        if isinstance(plan, ObservedActivation16):
            return replace(plan, high=plan.high * self.factor)
        return plan

    def _varied(self, seen: Variation | None) -> Variation | None:
        if seen is None:
            return None
        return replace(seen, low=seen.low * self.factor, high=seen.high * self.factor)

    def _times(self, ranges: Ranges) -> Ranges:
        return Ranges(ranges.low * self.factor, ranges.high * self.factor)
