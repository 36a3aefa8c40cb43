"""Takes out the gathers that make the channels of a group contiguous."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import fx

from ...ir.arithmetic.operands import value_of
from ...ir.program import Program
from ...ir.tensors import constant

dgqc = torch.ops.dgqc
GROUP_AND_WEIGHT = {dgqc.linear.default: (4, 6), dgqc.conv2d.default: (4, 5)}
"""Where products with weights take their groups and their weights."""
COLUMNS = 64
"""So many of a weight are looked at together."""


@dataclass(frozen=True)
class Weight:
    """A product's weight, in the order in which the graph takes it.

    A copy of a whole one would be given back to an allocator that has filled the hole by the time of the
    next, so that copies of all weights add up: some columns are looked at together.

    name: of the constant. held: int8 (N, ..., C), as the graph holds it. order: of its channels; None if so.
    """

    name: str
    held: torch.Tensor
    order: torch.Tensor | None

    @property
    def shape(self) -> torch.Size:
        return self.held.shape

    def by_column(self, of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """What `of` makes of int8 (n, taps, C), all of it one after another."""
        taps = self.held.reshape(self.shape[0], -1, self.shape[-1])
        blocks = (taps[first : first + COLUMNS] for first in range(0, len(taps), COLUMNS))
        return torch.cat([of(some if self.order is None else some[..., self.order]) for some in blocks])


@dataclass(frozen=True)
class Ungathered:
    """module: the graph. orders: of constants that it takes in another order than it holds them, by name,
    along their last axis. weight_bits: the width of weights, by name."""

    module: fx.GraphModule
    orders: Mapping[str, torch.Tensor]
    weight_bits: Mapping[str, int]

    def constant(self, name: str) -> torch.Tensor:
        """As the graph takes it: what it holds, or a copy in another order."""
        value, order = constant(self.module, name).detach(), self.orders.get(name)
        return value if order is None else value[..., order]

    def weight(self, name: str) -> Weight:
        """A constant (N, ..., C) that may be as large as memory allows."""
        value, order = constant(self.module, name).detach(), self.orders.get(name)
        return Weight(name, value, order)


def ungathered(program: Program) -> Ungathered:
    """The program's graph, whose products take channels in the order in which they come, as one of its own.

    A kernel that goes group by group wants contiguous groups. A contraction here multiplies the groups out
    first and takes any order; permuting the constants back saves moving the activations. Bits are the same.
    Copies of all weights would be as large as the model, so that they are permuted when they are read.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in program.graph.graph.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    module = fx.GraphModule(program.graph, graph)
    orders: dict[str, torch.Tensor] = {}
    widths = dict(program.report.get("weight-bits", {}))
    for node in list(module.graph.nodes):
        if node.target in GROUP_AND_WEIGHT:
            _ungather(module, node, orders, widths)
    module.graph.eliminate_dead_code()
    return Ungathered(module, orders, widths)


def _ungather(
    module: fx.GraphModule, node: fx.Node, orders: dict[str, torch.Tensor], widths: dict[str, int]
) -> None:
    moved = node.args[0]
    if not isinstance(moved, fx.Node) or moved.target is not dgqc.gather.default:
        return
    source, order, axis = moved.args
    if axis % len(moved.meta["val"].shape) != len(moved.meta["val"].shape) - 1:  # type: ignore[operator]
        return
    back = torch.argsort(value_of(order))
    node.update_arg(0, source)
    for place in GROUP_AND_WEIGHT[node.target]:  # type: ignore[index]
        old = node.args[place]
        assert isinstance(old, fx.Node)
        key = f"{old.target}_as_it_comes_{node.name}"
        module.register_buffer(key, value_of(old))
        orders[key] = back
        with module.graph.inserting_before(node):
            new = module.graph.get_attr(key)
        new.meta["val"] = module.get_buffer(key).to("meta")
        node.update_arg(place, new)
        if str(old.target) in widths:
            widths[key] = widths[str(old.target)]
