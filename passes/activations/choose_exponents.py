"""`choose-exponents`: scales of their own for channels of 16-bit values, where one scale loses too much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import ChannelScales, captured_op, channel_axis
from ...ir.plans import ObservedActivation16, Plan
from ...ir.program import Program
from ..base import Pass
from ..graph.edit import MILLION, aten, dgqc, shape, weight_count
from ..manager.registry import register_pass
from ..simulation.wide_values import decibels_of_values
from ..widths.choose_widths import widths
from .channel_classes import ChannelClasses, channel_classes
from .channel_ratios import SeenChannels, exponents_of_classes
from .few_quantizers import read_channels, with_few_quantizers
from .timestep_tables import scaled
from .value_widths import costs_of_widths

MARGIN = 0.5
"""In dB, by how much more than enough is asked of what gradients foretell, and more in each further round."""
ROUNDS = 6
SPREAD = 32
"""Quarters of octaves between the factors of a function's columns, which share a shift."""


@register_pass
@dataclass(frozen=True)
class ChooseExponents(Pass):
    """Gives channels of 16-bit values scales in proportions 2^(exponent / 4), static over calls.

    In a trained model's residual stream channels of 1e9 stand beside channels of 5 that matter as much, and
    one scale rounds these to 0. Products, norms and sums take the proportions up in their constants, so that
    they cost next to nothing; concatenations leave each part its own scales, with no proportion at all.
    First the network is measured with one scale for each value: nothing is chosen where that is enough.
    Where exponents are not enough either, one pass back tells what rounding costs at each value, and the
    costliest take 20 bits, where somebody reads these, until all together cost little enough. The result is
    measured again, and more is chosen where gradients foretold too much.

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
        last = len(program.schedule) - 1
        steps = sorted({round(i * last / max(self.calls - 1, 1)) for i in range(self.calls)})
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
        if _least(after) >= self.enough or weight_count(program.graph) > self.most * MILLION:
            return result, after
        costs = costs_of_widths(self._tabulated(result), steps)
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


def with_exponents(
    program: Program, classes: Mapping[fx.Node, ChannelClasses]
) -> Mapping[str, ObservedActivation16]:
    """The plans of 16-bit values whose channels can have scales of their own, with their exponents."""
    sites = [
        (str(node.args[1]), node.args[0], classes[node])
        for node in program.graph.graph.nodes
        if node.target is dgqc.site.default and isinstance(node.args[0], fx.Node)
    ]
    seen: dict[str, SeenChannels] = {}
    voting: list[SeenChannels] = []
    for name, source, found in sites:
        plan = program.plans[name]
        if not isinstance(plan, ObservedActivation16):
            continue
        axis = channel_axis(source)
        along = found.along(axis, shape(source)[axis])
        if along is None or plan.high.shape[1] == 1:
            continue
        if source.target is aten.cat.default:
            along = torch.arange(len(along))  # parts keep their scales, whatever is said here
        seen[name] = SeenChannels(plan.high, along)
        if source.target is not aten.cat.default and not _keeps(source):
            voting.append(seen[name])
    count = 1 + max(int(one.index.max()) for one in classes.values())
    readers = read_channels(program.graph.graph, program.plans, classes)
    exponents = with_few_quantizers(exponents_of_classes(voting, count), readers)
    chosen: dict[str, ObservedActivation16] = {}
    for name, source, _ in sites:
        if name not in seen:
            continue
        plan, own = program.plans[name], exponents
        assert isinstance(plan, ObservedActivation16)
        if source.target is aten.cat.default:
            own = exponents_of_classes([seen[name]], len(seen[name].classes))
        exponent = own[seen[name].classes]
        exponent = exponent - exponent.min()
        if bool(exponent.any()):
            chosen[name] = replace(plan, exponent=exponent)
    for name, source, _ in sites:
        if name in seen and _is_gate(source):
            gate = chosen.get(name) or program.plans[name]
            assert isinstance(gate, ObservedActivation16)
            chosen[name] = _near_its_input(gate, chosen.get(str(source.all_input_nodes[0].args[1])))
    return chosen


def _is_gate(source: fx.Node) -> bool:
    """Whether a value is an activation function's."""
    record = captured_op(source)
    return record is not None and record.reads_wide and not record.gives_wide and not _joins(source)


def _joins(source: fx.Node) -> bool:
    return source.target is aten.cat.default


def _near_its_input(plan: ObservedActivation16, before: ObservedActivation16 | None) -> ObservedActivation16:
    """A function's result whose channels' factors are within `SPREAD` of each other, so that none is lost."""
    own = torch.zeros(plan.high.shape[1], dtype=torch.int64) if plan.exponent is None else plan.exponent
    have = torch.zeros_like(own)
    if before is not None and before.exponent is not None and before.exponent.shape == have.shape:
        have = before.exponent
    most = (have - own).min() + SPREAD
    exponent = torch.maximum(own, have - most)
    exponent = exponent - exponent.min()
    return replace(plan, exponent=exponent if bool(exponent.any()) else None)


def _keeps(source: fx.Node) -> bool:
    """Whether a value's exponents are those of what it is computed from."""
    record = captured_op(source)
    return record is not None and record.channels is ChannelScales.KEPT
