"""What a captured UNet costs, from shapes alone: multiply-accumulates, weights, activations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import fx

from ..ir.level import Level
from ..ir.ops.captured import ProductKind, is_layer, is_view, product_kind, products_in, summed
from ..ir.program import Program

aten = torch.ops.aten


@dataclass(frozen=True)
class Product:
    """One product of the model, for one sample.

    macs: multiply-accumulates. module: its place in the model.
    weights: number of weights; columns: output channels. Both 0 between activations.
    channels: length of the reduction.
    edge: whether it is the first or the last convolution.
    temporal: whether it depends on the timestep alone, so that compiling turns it into a table.
    """

    kind: ProductKind
    module: str
    macs: int
    weights: int = 0
    columns: int = 0
    channels: int = 0
    edge: bool = False
    temporal: bool = False


@dataclass(frozen=True)
class Costs:
    """What one call for one sample takes.

    products: in the order they run.
    parameters: number of trained values, those of the timestep's embedding included.
    temporal_values: numbers that the timestep's network hands to the rest at one call.
    activations: largest number of activation elements alive at once, attention scores taken row by row, as
        compiled programs do.
    """

    products: tuple[Product, ...]
    parameters: int
    temporal_values: int
    activations: int

    def macs(self, kind: ProductKind | None = None, *, edge: bool | None = None) -> int:
        """Multiply-accumulates of one kind, of the edges, or of all."""
        return sum(
            p.macs for p in self.products if kind in (None, p.kind) and (edge is None or p.edge == edge)
        )

    def by_module(self) -> dict[str, int]:
        """Multiply-accumulates by the place in the model; what depends on the timestep alone is in none."""
        found: dict[str, int] = {}
        for product in self.products:
            if not product.temporal:
                found[product.module] = found.get(product.module, 0) + product.macs
        return found


def count(program: Program, parameters: int) -> Costs:
    """Counts a program at the captured level; its weights may be on the meta device.

    parameters: number of the model's trained values, which the graph mixes with other constants.
    """
    assert program.level is Level.CAPTURED
    graph = program.graph.graph
    timed = _temporal(graph)
    frontier = [n for n in timed if n.op == "call_function" and any(u not in timed for u in n.users)]
    return Costs(
        products=tuple(_products(graph, timed)),
        parameters=parameters,
        temporal_values=sum(_size(node) for node in frontier),
        activations=_most_alive(graph),
    )


def _products(graph: fx.Graph, timed: set[fx.Node]) -> Iterator[Product]:
    convolutions = [node for node in graph.nodes if product_kind(node) is ProductKind.CONVOLUTION]
    edges = {convolutions[0], convolutions[-1]} if convolutions else set()
    for node in graph.nodes:
        kind = product_kind(node)
        if kind is None:
            continue
        module = str(node.meta.get("module") or node.name)
        macs, temporal = products_in(node), node in timed
        if is_layer(node):
            weight = _shape(node.args[1])
            yield Product(
                kind, module, macs, prod(weight), weight[0], weight[1], edge=node in edges, temporal=temporal
            )
        else:
            yield Product(kind, module, macs, channels=summed(node), temporal=temporal)


def _temporal(graph: fx.Graph) -> set[fx.Node]:
    """Nodes that depend on the timestep and on no other input."""
    upstream: dict[fx.Node, frozenset[str]] = {}
    for node in graph.nodes:
        own = {str(node.target)} if node.op == "placeholder" else set()
        upstream[node] = frozenset(own).union(*(upstream[before] for before in node.all_input_nodes))
    return {node for node, names in upstream.items() if names == {"timestep"}}


def _most_alive(graph: fx.Graph) -> int:
    """Elements alive at the busiest moment, constants left out."""
    order = {node: place for place, node in enumerate(graph.nodes)}
    change = [0] * (len(order) + 1)
    for node, place in order.items():
        if node.op in ("get_attr", "output") or is_view(node):
            continue
        size = _shape(node)[-1] if _is_score(node) else _size(node)
        last = max((order[user] for user in _readers(node)), default=place)
        change[place] += size
        change[last + 1] -= size
    most = now = 0
    for difference in change:
        now += difference
        most = max(most, now)
    return most


def _readers(node: fx.Node) -> Iterator[fx.Node]:
    for user in node.users:
        yield user
        if is_view(user):
            yield from _readers(user)


def _is_score(node: fx.Node) -> bool:
    """Whether a node is on the way from a product of activations through softmax."""
    if node.target is aten.softmax.int:
        return True
    if node.target not in (aten.matmul.default, aten.mul.Tensor, aten.add.Tensor):
        return False
    return any(user.target is aten.softmax.int or _is_scaled_score(user) for user in _readers(node))


def _is_scaled_score(node: fx.Node) -> bool:
    return node.target is aten.mul.Tensor and any(u.target is aten.softmax.int for u in _readers(node))


def _shape(node: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in node.meta["val"].shape)


def _size(node: fx.Node) -> int:
    return prod(_shape(node))
