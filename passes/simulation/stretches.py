"""A graph in stretches that are computed one after the other, little being kept between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import fx

from ...ir.plans import Plan
from ..graph.large_attention import never_held


@dataclass(frozen=True)
class Stretch:
    """Some calls that follow each other in a graph. inputs: values that they read from before, no constants.
    outputs: those that are read after."""

    nodes: tuple[fx.Node, ...]
    inputs: tuple[fx.Node, ...]
    outputs: tuple[fx.Node, ...]


def stretches(calls: Sequence[fx.Node], plans: Mapping[str, Plan]) -> list[Stretch]:
    """The calls in stretches whose values take about as much memory as lives at once while all are computed.

    So whoever keeps the values of one stretch, and those between stretches, needs a few times as much as a
    plain run. Each ends where least is read after it; a large attention's scores, which a BlockInterpreter
    computes by rows, stay within one and count as nothing.
    calls: in order; what they read of others comes from before all of them.
    """
    flow = _Flow(calls, plans)
    budget = max(flow.alive, default=0)
    found, first = list[Stretch](), 0
    while first < len(calls):
        last = _end(flow, first, budget)
        found.append(flow.stretch(first, last))
        first = last
    return found


def _end(flow: _Flow, first: int, budget: int) -> int:
    """Where a stretch that begins at `first` ends: the call after its last one."""
    count, total, ends = len(flow.calls), 0, list[int]()
    for place in range(first, count):
        total += flow.sizes[place]
        if total > budget and ends:
            # In the latter half: a place with hardly anything alive right behind the first call wins nothing.
            late = [end for end in ends if 2 * (end - first) >= ends[-1] - first]
            return min(late, key=lambda end: (flow.alive[end - 1], -end))
        if place not in flow.within:
            ends.append(place + 1)
    return count


@dataclass(frozen=True)
class _Flow:
    """What lives when, in bytes, for one sample."""

    calls: Sequence[fx.Node]
    plans: Mapping[str, Plan]

    @cached_property
    def last(self) -> Mapping[fx.Node, int]:
        """Where each value is read for the last time; of the output's, beyond the end."""
        found = dict[fx.Node, int]()
        for place, node in enumerate(self.calls):
            found.update(dict.fromkeys(read_by(node), place))
        for node in self.calls:
            if any(user.op == "output" for user in node.users):
                found[node] = len(self.calls)
        return found

    @cached_property
    def within(self) -> frozenset[int]:
        """Places of scores that are never held."""
        rows = never_held(self.calls[0].graph, self.plans) if self.calls else frozenset()
        return frozenset(place for place, node in enumerate(self.calls) if node in rows)

    @cached_property
    def sizes(self) -> Sequence[int]:
        """Of each value; a view's as if it were a copy."""
        return [0 if place in self.within else _bytes(node) for place, node in enumerate(self.calls)]

    @cached_property
    def alive(self) -> Sequence[int]:
        """After each call, of all that is read later."""
        ends = dict[int, int]()
        found, now = list[int](), 0
        for place, node in enumerate(self.calls):
            now += self.sizes[place] - ends.pop(place, 0)
            found.append(now)
            end = self.last.get(node, place)
            if end == place:
                now -= self.sizes[place]
            else:
                ends[end] = ends.get(end, 0) + self.sizes[place]
        return found

    def stretch(self, first: int, last: int) -> Stretch:
        nodes = tuple(self.calls[first:last])
        own = set(nodes)
        read = dict.fromkeys(one for node in nodes for one in read_by(node) if one not in own)
        outputs = tuple(node for node in nodes if self.last.get(node, 0) >= last)
        return Stretch(nodes, tuple(read), outputs)


def read_by(node: fx.Node) -> list[fx.Node]:
    """The values that a node reads: no constants, not the step."""
    return [one for one in node.all_input_nodes if one.op != "get_attr" and one.target != "step"]


def _bytes(node: fx.Node) -> int:
    value = node.meta.get("val")
    return value.numel() * value.element_size() if isinstance(value, torch.Tensor) else 0
