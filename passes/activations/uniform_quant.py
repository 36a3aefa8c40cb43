"""`uniform-quant`: attention probabilities on a uniform grid, as the methods before DGQ do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from ...ir.level import Level
from ...ir.plans import Coding, Granularity, ObservedProbabilities, Plan, QuantizedProbabilities
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass


class Scale(StrEnum):
    """Where the grid's step comes from."""

    STATIC = "static"
    """The largest probability seen at this call in calibration."""
    TENSOR = "tensor"
    """The largest probability of the sample, at run time."""
    ROW = "row"
    """The largest probability of the query, at run time."""


@register_pass
@dataclass(frozen=True)
class UniformQuant(Pass):
    """code = clamp(round(A / s), 0, 2^bits - 1), zero at 0. scale: `static` per call, `tensor` or `row`."""

    scale: Scale = Scale.STATIC

    name: ClassVar[str] = "uniform-quant"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})
    provides: ClassVar[frozenset[str]] = frozenset({"probabilities"})

    def run(self, program: Program) -> Program:
        plans = {name: self._decide(plan) for name, plan in program.plans.items()}
        count = sum(isinstance(plan, QuantizedProbabilities) for plan in plans.values())
        return replace(program, plans=plans).with_report(
            self.name, {"attentions": count, "scale": self.scale.value}
        )

    def _decide(self, plan: Plan) -> Plan:
        if not isinstance(plan, ObservedProbabilities):
            return plan
        if self.scale is Scale.STATIC:
            step = plan.high.double().clamp(min=2.0**-30) / (2**plan.bits - 1)
            return QuantizedProbabilities(plan.bits, Coding.UNIFORM, None, step)
        return QuantizedProbabilities(plan.bits, Coding.UNIFORM, Granularity(self.scale.value), None)
