"""Which channels of a graph's 16-bit values must have scales in one proportion.

A class is a set of channels, of any number of values, that share a ratio: those of a value and of what is
resampled or activated from it, those that a norm takes together, all where an op takes one scale. Whoever
chooses scales chooses one number for each class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import fx

from ...ir.ops.captured import ChannelScales, captured_op, channel_axis, is_view, product_kind
from ...ir.plans import Operand, Plan, Role
from ...ir.tensors import compressed
from ..graph.edit import aten, dgqc, shape


@dataclass(frozen=True)
class ChannelClasses:
    """The class of each channel of a value.

    index: int64, broadcasts to the value's shape. part: int64 of the same shape; channels of different parts
    of a concatenation keep scales that have no fixed proportion at all.
    """

    index: torch.Tensor
    part: torch.Tensor

    def along(self, axis: int, size: int) -> torch.Tensor | None:
        """The classes along one axis, int64 (size,); None where they change along others."""
        return _along(self.index, axis, size)

    def parts_along(self, axis: int, size: int) -> torch.Tensor | None:
        """The same of the parts."""
        return _along(self.part, axis, size)


def _along(values: torch.Tensor, axis: int, size: int) -> torch.Tensor | None:
    places = [place for place, length in enumerate(values.shape) if length != 1]
    return values.reshape(-1).expand(size) if places in ([], [axis % values.dim()]) else None


def channel_classes(graph: fx.Graph, plans: Mapping[str, Plan]) -> Mapping[fx.Node, ChannelClasses]:
    """The classes of every value of a planned graph, numbered by one of their members."""
    flow = _Flow(plans)
    for node in graph.nodes:
        if node.op in ("placeholder", "call_function") and _is_value(node):
            flow.enter(node)
        elif node.op == "output":
            flow.unite_all(node.all_input_nodes)
    roots = torch.tensor([flow.find(number) for number in range(len(flow.parents))], dtype=torch.int64)
    return {node: ChannelClasses(roots[one.index], one.part) for node, one in flow.found.items()}


def _is_value(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() > 0


class _Flow:
    """Walks a graph from its inputs on and unites classes (union by search for roots)."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self.plans = plans
        self.parents: list[int] = []
        self.found: dict[fx.Node, ChannelClasses] = {}

    def find(self, number: int) -> int:
        while self.parents[number] != number:
            self.parents[number] = self.parents[self.parents[number]]
            number = self.parents[number]
        return number

    def enter(self, node: fx.Node) -> None:
        """The classes of a node's result, those of its arguments united as its op demands."""
        record = captured_op(node)
        kind = _of_input(node) if record is None else record.channels
        arguments = [one for one in node.all_input_nodes if one in self.found]
        if node.target is dgqc.site.default:
            if _of_attention(self.plans[str(node.args[1])]):
                self.unite_all(arguments)
            self.found[node] = self.found[arguments[0]]
        elif mixes_products(node) or _adds_to_scores(node):
            self.unite_all(arguments)
            self.found[node] = self._fresh(node, None)
        elif kind is ChannelScales.KEPT and arguments:
            self.found[node] = self._kept(node, arguments[0])
        elif kind is ChannelScales.ONE_SIDE and arguments:
            self.found[node] = self._one_side(node, arguments)
        elif kind is ChannelScales.JOINED and arguments:
            self.found[node] = self._joined(node)
        else:
            self._read(node, kind, arguments)
            free = kind in (ChannelScales.FREE, ChannelScales.GROUPED)
            self.found[node] = self._fresh(node, channel_axis(node) if free else None)

    def unite_all(self, nodes: Sequence[fx.Node]) -> None:
        """All channels of each value become one class."""
        for node in nodes:
            if node in self.found:
                index = self.found[node].index
                self._unite(index, index.reshape(-1)[:1])

    def _unite(self, left: torch.Tensor, right: torch.Tensor) -> None:
        sides = [(one + 0 * other).reshape(-1).tolist() for one, other in ((left, right), (right, left))]
        for one, other in zip(*sides, strict=True):
            self.parents[self.find(one)] = self.find(other)

    def _fresh(self, node: fx.Node, axis: int | None) -> ChannelClasses:
        """New classes along an axis, or one."""
        sizes = [1] * len(shape(node))
        if axis is not None:
            sizes[axis] = shape(node)[axis]
        count, first = torch.Size(sizes).numel(), len(self.parents)
        self.parents.extend(range(first, first + count))
        return ChannelClasses(
            torch.arange(first, first + count).reshape(sizes), torch.zeros(sizes, dtype=torch.int64)
        )

    def _read(self, node: fx.Node, kind: ChannelScales, arguments: Sequence[fx.Node]) -> None:
        """Unites the channels that an op takes at one scale. Codes of operands are none of its business:
        sites give them, whatever the scales."""
        if kind is ChannelScales.GROUPED:
            self._unite_groups(self.found[arguments[0]], int(node.args[1]))  # type: ignore[arg-type]
            return
        if kind is not ChannelScales.FREE or product_kind(node) is not None:
            self.unite_all([one for one in arguments if not _is_operand(one)])

    def _unite_groups(self, value: ChannelClasses, groups: int) -> None:
        """The channels of each group of a norm, but for those of different parts."""
        if value.index.numel() == 1:
            return
        index, part_of = value.index + 0 * value.part, value.part + 0 * value.index
        rows, parts = (each.reshape(groups, -1) for each in (index, part_of))
        for row, part in zip(rows, parts, strict=True):
            for label in part.unique():
                members = row[part == label]
                self._unite(members, members[:1])

    def _kept(self, node: fx.Node, source: fx.Node) -> ChannelClasses:
        before = self.found[source]
        if is_view(node):
            index, part = (_viewed(node, each, shape(source)) for each in (before.index, before.part))
            return ChannelClasses(index, part)
        sizes = zip(before.index.shape, shape(node), strict=True)
        if all(length in (1, size) for length, size in sizes):
            return before
        self.unite_all([source])
        return self._fresh(node, None)

    def _one_side(self, node: fx.Node, arguments: Sequence[fx.Node]) -> ChannelClasses:
        smallest = min(arguments, key=lambda one: torch.Size(shape(one)).numel())
        self.unite_all([one for one in arguments if one is not smallest])
        return self._padded(self.found[smallest], len(shape(node)))

    def _joined(self, node: fx.Node) -> ChannelClasses:
        parts, axis = list(node.args[0]), int(node.args[1]) % len(shape(node))  # type: ignore[arg-type]
        if not all(part in self.found for part in parts):
            return self._fresh(node, None)
        values = [self.found[part] for part in parts]
        if axis != channel_axis(node):
            self.unite_all(parts)
            return self._fresh(node, None)
        # A part may differ along other axes, too: one that a view made of channels and pixels.
        common = [max(lengths) for lengths in zip(*(value.index.shape for value in values), strict=True)]
        sizes = [[*common[:axis], shape(part)[axis], *common[axis + 1 :]] for part in parts]
        first = iter(range(len(parts)))
        return ChannelClasses(
            torch.cat([value.index.expand(size) for value, size in zip(values, sizes, strict=True)], axis),
            torch.cat([torch.full(size, next(first)) for size in sizes], axis),
        )

    def _padded(self, value: ChannelClasses, rank: int) -> ChannelClasses:
        missing = (1,) * (rank - value.index.dim())
        return ChannelClasses(
            value.index.reshape(*missing, *value.index.shape), value.part.reshape(*missing, *value.part.shape)
        )


def _of_attention(plan: Plan) -> bool:
    """Whether a plan is of an operand whose features are put apart into heads, each with the same groups."""
    operand = plan if isinstance(plan, Operand) else getattr(plan, "operand", None)
    return isinstance(operand, Operand) and operand.role in (Role.LEFT, Role.RIGHT)


def mixes_products(node: fx.Node) -> bool:
    """Whether a node adds two products, as an attention does whose start token stands apart: such a sum is
    computed as one, at one scale."""
    return node.target is aten.add.Tensor and all(
        isinstance(one, fx.Node) and _behind_sites(one).target is aten.matmul.default for one in node.args[:2]
    )


def _adds_to_scores(node: fx.Node) -> bool:
    """Whether a node adds a mask or a bias to an attention's scores, which have a unit and so no scale."""
    return node.target is aten.add.Tensor and all(user.target is not dgqc.site.default for user in node.users)


def _of_input(node: fx.Node) -> ChannelScales:
    """An input's channels are free but for the sample's: between calls it is one state with the output."""
    free = node.op == "placeholder" and node.target != "sample"
    return ChannelScales.FREE if free else ChannelScales.ONE


def _behind_sites(node: fx.Node) -> fx.Node:
    while node.target is dgqc.site.default:
        (node,) = node.all_input_nodes
    return node


def _is_operand(node: fx.Node) -> bool:
    """Whether a value is read as codes."""
    return node.target is dgqc.site.default and not str(node.args[1]).endswith(".output")


def _viewed(node: fx.Node, each: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """What a view makes of a tensor that broadcasts to its source's shape: one that broadcasts to its own."""
    moved = node.target(each.expand(size), *node.args[1:], **node.kwargs)  # type: ignore[operator]
    return compressed(moved)
