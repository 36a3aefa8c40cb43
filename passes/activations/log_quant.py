"""`log-quant`: attention probabilities become powers of two of the largest one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ...ir.level import Level
from ...ir.plans import (
    Coding,
    Granularity,
    ObservedProbabilities,
    Plan,
    Probabilities,
    QuantizedProbabilities,
)
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass


@register_pass
@dataclass(frozen=True)
class LogQuant(Pass):
    """code = clamp(round(-log2(A / s)), 0, 2^bits - 1), s the largest probability at run time (DGQ eq. 8-9).

    scale: `tensor` is the paper's: one s per sample, over heads, queries and keys, the start token's column
        excepted where it stands apart; the released code takes it over the whole batch, which makes a
        picture depend on its neighbours. `row` takes one s per query: finer, and it streams.

    Rounded, as in the code (the paper's formula shows a floor, which costs 17 dB). At the integer level
    codes end at 31, and probabilities below 2^-23 of s count as 0.
    """

    scale: Granularity = Granularity.ROW

    name: ClassVar[str] = "log-quant"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"probabilities"})

    def run(self, program: Program) -> Program:
        def decide(plan: Plan) -> Plan:
            if isinstance(plan, Probabilities | ObservedProbabilities):
                return QuantizedProbabilities(plan.bits, Coding.LOG2, self.scale, None)
            return plan

        plans = {name: decide(plan) for name, plan in program.plans.items()}
        count = sum(isinstance(plan, QuantizedProbabilities) for plan in plans.values())
        return replace(program, plans=plans).with_report(
            self.name, {"attentions": count, "scale": self.scale.value}
        )
