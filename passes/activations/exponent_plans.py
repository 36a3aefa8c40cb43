"""The exponents that 16-bit values get, from the ranges that were observed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch
from torch import fx

from ...ir.ops.captured import ChannelScales, captured_op, channel_axis
from ...ir.plans import ObservedActivation16
from ...ir.program import Program
from ..graph.edit import aten, dgqc, shape
from .channel_classes import ChannelClasses
from .channel_ratios import SeenChannels, exponents_of_classes
from .few_quantizers import read_channels, with_few_quantizers

SPREAD = 32
"""Quarters of octaves between the factors of a function's columns, which share a shift."""


def with_exponents(
    program: Program,
    classes: Mapping[fx.Node, ChannelClasses],
    only: Collection[str] | None = None,
) -> Mapping[str, ObservedActivation16]:
    """The plans of 16-bit values whose channels can have scales of their own, with their exponents.

    only: the sites that may have some; all of them where it is None. Results of activation functions get
    some besides where what they are computed from has.
    """
    sites = _observed(program, classes)
    exponents = _of_classes(program, classes, sites)
    chosen: dict[str, ObservedActivation16] = {}
    for name, (source, seen) in sites.items():
        if only is not None and name not in only:
            continue
        plan, own = program.plans[name], exponents
        assert isinstance(plan, ObservedActivation16)
        if _joins(source):
            own = exponents_of_classes([seen], len(seen.classes))
        exponent = own[seen.classes]
        exponent = exponent - exponent.min()
        if bool(exponent.any()):
            chosen[name] = replace(plan, exponent=exponent)
    for name, (source, _) in sites.items():
        if _is_gate(source):
            gate = chosen.get(name) or program.plans[name]
            assert isinstance(gate, ObservedActivation16)
            near = _near_its_input(gate, chosen.get(str(source.all_input_nodes[0].args[1])))
            if near.exponent is not None or name in chosen:
                chosen[name] = near
    return chosen


def together(program: Program, classes: Mapping[fx.Node, ChannelClasses]) -> Collection[frozenset[str]]:
    """Sites whose values have exponents all or none, since ops take them as they come: they share classes."""
    found: list[tuple[set[str], set[int]]] = []
    for name, (source, _) in _observed(program, classes).items():
        names, shared = {name}, set(classes[source].index.reshape(-1).tolist())
        for other in [one for one in found if one[1] & shared]:
            found.remove(other)
            names, shared = names | other[0], shared | other[1]
        found.append((names, shared))
    return [frozenset(names) for names, _ in found]


def _observed(
    program: Program, classes: Mapping[fx.Node, ChannelClasses]
) -> Mapping[str, tuple[fx.Node, SeenChannels]]:
    """By site, the values whose channels can have scales of their own: who computes them, what was seen."""
    found: dict[str, tuple[fx.Node, SeenChannels]] = {}
    for node in program.graph.graph.nodes:
        if node.target is not dgqc.site.default or not isinstance(node.args[0], fx.Node):
            continue
        source, name = node.args[0], str(node.args[1])
        plan, axis = program.plans[name], channel_axis(source)
        if not isinstance(plan, ObservedActivation16):
            continue
        along = classes[node].along(axis, shape(source)[axis])
        if along is None or plan.high.shape[1] == 1:
            continue
        if _joins(source):
            along = torch.arange(len(along))  # parts keep their scales, whatever is said here
        found[name] = (source, SeenChannels(plan.high, along))
    return found


def _of_classes(
    program: Program,
    classes: Mapping[fx.Node, ChannelClasses],
    sites: Mapping[str, tuple[fx.Node, SeenChannels]],
) -> torch.Tensor:
    """The exponent of each class, int64, 0 or less."""
    voting = [seen for source, seen in sites.values() if not _joins(source) and not _keeps(source)]
    count = 1 + max(int(one.index.max()) for one in classes.values())
    readers = read_channels(program.graph.graph, program.plans, classes)
    return with_few_quantizers(exponents_of_classes(voting, count), readers)


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
