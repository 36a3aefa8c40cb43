"""`choose-exponents`: scales of their own for channels of 16-bit values, where one scale loses too much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.calibration import spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import ObservedActivation16, Plan
from ...ir.program import Program
from ..base import Pass
from ..graph.edit import MILLION, weight_count
from ..manager.registry import register_pass
from ..simulation.wide_values import decibels_of_values
from ..widths.choose_widths import widths
from .channel_classes import ChannelClasses, channel_classes
from .exponent_plans import together, with_exponents
from .timestep_tables import scaled
from .value_widths import costs_of_widths, tables_of_parts

MARGIN = 0.5
"""In dB, by how much more than enough is asked of what gradients foretell, and more in each further round."""
ROUNDS = 6


@register_pass
@dataclass(frozen=True)
class ChooseExponents(Pass):
    """Gives channels of 16-bit values scales in proportions 2^(exponent / 4), static over calls.

    In a trained model's residual stream channels of 1e9 stand beside channels of 5 that matter as much, and
    one scale rounds these to 0. Products, norms and sums take the proportions up in their constants, so that
    they cost next to nothing; concatenations leave each part its own scales, with no proportion at all.
    First the network is measured with one scale for each value: nothing is chosen where that is enough.
    One pass back tells what rounding costs at each value. Where exponents everywhere are more than enough,
    the values that gain most have some, and no others. Where they are not enough, the costliest values take
    20 bits, where somebody reads these, until all together cost little enough. The result is measured again,
    and more is chosen where gradients foretold too much.

    enough: signal to noise of the output in dB, at each of the calls measured, that is enough.
    calls: how many calls of the schedule to measure, evenly spaced. headroom: as in timestep-tables.
    most: millions of weights; values of models with more take 16 bits, since gradients take memory.
    """

    enough: float = 55.0
    calls: int = 3
    headroom: float = 2.0
    most: int = 100

    name: ClassVar[str] = "choose-exponents"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})

    def __post_init__(self) -> None:
        if self.calls < 1 or self.most < 0:
            raise DgqcError("choose-exponents takes calls from 1 and most from 0 on.")

    def run(self, program: Program) -> Program:
        steps = spaced(len(program.schedule), self.calls)
        before = decibels_of_values(self._tabulated(program), steps)
        report = {"calls": steps, "one-scale": list(before.values())}
        if _least(before) >= self.enough:
            return program.with_report(self.name, report)
        chosen, after = self._chosen(program, steps)
        plans = [plan for plan in chosen.plans.values() if isinstance(plan, ObservedActivation16)]
        report |= {
            "exponents": list(after.values()),
            "values": sum(plan.exponent is not None for plan in plans),
            "wide": sum(plan.wide for plan in plans),
        }
        return chosen.with_report(self.name, report)

    def _chosen(self, program: Program, steps: list[int]) -> tuple[Program, Mapping[int, float | None]]:
        """The program with its plans, and what it has then."""
        classes = channel_classes(program.graph.graph, program.plans)
        plans: dict[str, Plan] = {**program.plans, **with_exponents(program, classes)}
        result = replace(program, plans=plans)
        after = decibels_of_values(self._tabulated(result), steps)
        if weight_count(program.graph) > self.most * MILLION:
            return result, after
        costs = costs_of_widths(self._tabulated(result), steps)
        if _least(after) >= self.enough:
            return self._fewer(program, classes, costs, steps) or (result, after)
        goal = self.enough + MARGIN
        for _ in range(ROUNDS):
            wide = widths(costs, 10 ** (-goal / 10))
            result = replace(program, plans={**plans, **{name: _wide(plans[name]) for name in wide}})
            after = decibels_of_values(self._tabulated(result), steps)
            missing = self.enough - _least(after)
            if missing <= 0:
                break
            goal += max(missing, MARGIN)
        return result, after

    def _fewer(
        self,
        program: Program,
        classes: Mapping[fx.Node, ChannelClasses],
        costs: Mapping[str, torch.Tensor],
        steps: list[int],
    ) -> tuple[Program, Mapping[int, float | None]] | None:
        """Exponents where they gain most, until that is enough; None where all are needed.

        costs: of each value, as `costs_of_widths` has them, where all that can have exponents have some.
        """
        one = costs_of_widths(self._tabulated(program), steps)
        tables = tables_of_parts(one, costs, together(program, classes))
        goal = self.enough + MARGIN
        for _ in range(ROUNDS):
            chosen = widths(tables, 10 ** (-goal / 10))
            only = frozenset().union(*chosen)
            result = replace(program, plans={**program.plans, **with_exponents(program, classes, only)})
            after = decibels_of_values(self._tabulated(result), steps)
            missing = self.enough - _least(after)
            if missing <= 0:
                return result, after
            goal += max(missing, MARGIN)
        return None

    def _tabulated(self, program: Program) -> Program:
        """The program with scales as timestep-tables will choose them."""
        plans = {
            name: scaled(plan, self.headroom) if isinstance(plan, ObservedActivation16) else plan
            for name, plan in program.plans.items()
        }
        return replace(program, plans=plans)


def _least(found: Mapping[int, float | None]) -> float:
    """Where nothing is lost, there is no end to it."""
    return min((one for one in found.values() if one is not None), default=math.inf)


def _wide(plan: Plan) -> Plan:
    assert isinstance(plan, ObservedActivation16)
    return replace(plan, wide=True)
