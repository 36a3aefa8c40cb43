"""Candidates of one model see the same float values, so they are observed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ..ir.level import Level
from ..ir.plans import (
    Glue,
    ObservedGlue,
    ObservedOperand,
    ObservedProbabilities,
    Operand,
    Plan,
    Probabilities,
)
from ..ir.program import Program
from ..passes.base import Pass
from ..passes.observe_ranges import ObserveRanges
from ..passes.reconstruction.digest import digest, structure

Observed = dict[str, Mapping[str, Plan]]
"""Observed plans by site, by the hash of what was observed."""


def remembering(passes: Sequence[Pass], observed: Observed) -> list[Pass]:
    """The same passes, where `observe-ranges` looks into `observed` first and adds to it."""
    return [Remembering(one, observed) if type(one) is ObserveRanges else one for one in passes]


@dataclass(frozen=True)
class Remembering(Pass):
    """`observe-ranges` with a memory. Ranges are those of the float network, so bits don't matter."""

    observe: ObserveRanges
    observed: Observed = field(compare=False)

    name: ClassVar[str] = ObserveRanges.name
    takes: ClassVar[Level] = ObserveRanges.takes
    leaves: ClassVar[Level] = ObserveRanges.leaves
    requires: ClassVar[frozenset[str]] = ObserveRanges.requires
    provides: ClassVar[frozenset[str]] = ObserveRanges.provides

    def run(self, program: Program) -> Program:
        kinds = {
            name: (type(plan).__name__, plan.role, plan.padded) if isinstance(plan, Operand) else ""
            for name, plan in program.plans.items()
        }
        key = digest(self.observe, structure(list(program.graph.graph.nodes)), kinds)
        if key not in self.observed:
            result = self.observe.run(program)
            self.observed[key] = result.plans
            return result
        known = self.observed[key]
        plans = {name: _recalled(plan, known[name]) for name, plan in program.plans.items()}
        return replace(program, plans=plans).with_report(self.name, {"remembered": True})


def _recalled(plan: Plan, known: Plan) -> Plan:
    """What is known of a site, at this plan's bits."""
    if isinstance(plan, Operand) and isinstance(known, ObservedOperand):
        return replace(known, operand=plan)
    if isinstance(plan, Probabilities) and isinstance(known, ObservedProbabilities):
        return replace(known, bits=plan.bits)
    if isinstance(plan, Glue) and isinstance(known, ObservedGlue):
        return known
    return plan
