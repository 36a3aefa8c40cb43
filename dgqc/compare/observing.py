"""Candidates of one model see the same float values, so they are observed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ..ir.calibration import spaced
from ..ir.level import Level
from ..ir.plans import Operand
from ..ir.program import Program
from ..passes.activations.choose_probabilities import ChooseProbabilities
from ..passes.activations.observation import Observation
from ..passes.activations.observe_ranges import ObserveRanges, observe, with_ranges
from ..passes.base import Pass
from ..passes.weights.reconstruction.content_hash import content_hash, structure

Observed = dict[str, Observation]
"""What was seen, by the hash of what it was seen in."""


def remembering(passes: Sequence[Pass], observed: Observed) -> list[Pass]:
    """The same passes, where `observe-ranges` looks into `observed` first and adds to it."""
    return [Remembering(one, observed) if type(one) is ObserveRanges else one for one in passes]


@dataclass(frozen=True)
class Remembering(Pass):
    """`observe-ranges` with a memory."""

    original: ObserveRanges
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
        graph = program.graph  # passes before this one may have changed constants, and nothing else
        # What is heard of attentions does nothing to ranges, so that all candidates may share it.
        original = replace(self.original, attentions=0)
        key = content_hash(original, structure(list(graph.graph.nodes)), graph.state_dict(), kinds)
        if key not in self.observed:
            calls = max(self.original.attentions, ChooseProbabilities.calls)
            self.observed[key] = observe(program, spaced(len(program.schedule), calls))
        return with_ranges(program, self.observed[key])
