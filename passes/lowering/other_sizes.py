"""A planned program at another size of its sample: what the size changes in the graph is carried over.

A model captured at two sizes is one graph with other numbers in it: sizes of views, of what is enlarged, a
few constants. These are put into the planned program, whose weights and decisions stay, and which is lowered
anew. So no pass has to know that there are several sizes, and what passes did to the graph stays done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count, zip_longest
from typing import Any

import torch
from torch import fx
from torch.fx.node import map_aggregate

from ...ir.errors import DgqcError
from ...ir.ops.captured import ProductKind, product_kind
from ...ir.program import Program
from ...ir.shapes import ShapeError
from ...ir.tensors import constant, equal_tensors
from ..graph.edit import module_path, propagate, shape
from ..manager.kept_graph import KeptGraph
from .spread import Grids, spread_plans


@dataclass(frozen=True)
class SizeDifference:
    """What is not the same in a model that was captured at another size.

    inputs: shapes there, by the input's name. arguments: of nodes by name, numbers by their place among all
    of the node's arguments: the number at the first size, and there. constants: there, by name. values:
    shapes of nodes' values there. grids: how images of so many pixels lie, at the first size and there.
    """

    inputs: Mapping[str, tuple[int, ...]]
    arguments: Mapping[str, Mapping[int, tuple[Any, Any]]]
    constants: Mapping[str, torch.Tensor]
    values: Mapping[str, tuple[int, ...]]
    grids: Grids


def difference(first: Program, other: Program, size: str) -> SizeDifference:
    """What differs between two captured programs of one model. size: of the other, for messages.

    Raises DgqcError where they are not one graph.
    """
    arguments: dict[str, Mapping[int, tuple[Any, Any]]] = {}
    constants: dict[str, torch.Tensor] = {}
    grids: Grids = {}
    for here, there in zip_longest(first.graph.graph.nodes, other.graph.graph.nodes):
        if here is None or there is None or not _alike(here, there):
            raise _another_graph(here or there, size)
        if found := _other_numbers(here, there, size):
            arguments[here.name] = found
        if here.op == "get_attr":
            values = [constant(one.graph, str(here.target)).detach() for one in (first, other)]
            if not equal_tensors(*values):
                constants[str(here.target)] = values[1]
        if product_kind(here) is ProductKind.CONVOLUTION:
            (*_, height, width), (*_, other_height, other_width) = shape(here), shape(there)
            lies = ((height, width), (other_height, other_width))
            grids.setdefault((height * width, other_height * other_width), lies)
    shapes = {one.name: one.shape for one in other.inputs}
    return SizeDifference(shapes, arguments, constants, _shapes(other.graph.graph), grids)


def at_size(planned: Program, changed: SizeDifference, size: str) -> Program:
    """The planned program at the other size, its weights shared; the one that is given stays as it is.

    planned: with all that passes decided, before it is lowered.
    Raises DgqcError where a pass has built the first size into the graph.
    """
    graph = _copied(planned.graph, changed.constants)
    for node in graph.graph.nodes:
        _renumber(node, changed.arguments.get(node.name, {}), size)
        if node.op != "placeholder":
            node.meta.pop("val", None)
    inputs = tuple(replace(one, shape=changed.inputs.get(one.name, one.shape)) for one in planned.inputs)
    program = replace(planned, graph=graph, inputs=inputs, calibration=None, report={})
    try:
        propagate(program)
    except ShapeError as error:
        raise _built_in(error.node, size) from error
    for node in graph.graph.nodes:
        if node.op == "call_function" and changed.values.get(node.name, shape(node)) != shape(node):
            raise _built_in(node, size)
    return replace(program, plans=spread_plans(program, changed.grids))


def _copied(module: fx.GraphModule, others: Mapping[str, torch.Tensor]) -> fx.GraphModule:
    """A graph of its own over the same tensors, but for some. others: by name."""
    names = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    tensors = {name: others.get(name, constant(module, name)) for name in names}
    return fx.GraphModule(tensors, KeptGraph.of(module.graph).restored())


def _alike(here: fx.Node, there: fx.Node) -> bool:
    return (here.name, here.op, here.target) == (there.name, there.op, there.target)


def _leaves(node: fx.Node) -> Iterator[Any]:
    """All that stands in a node's arguments, one after another."""
    found: list[Any] = []
    map_aggregate((node.args, node.kwargs), found.append)
    return iter(found)


def _other_numbers(here: fx.Node, there: fx.Node, size: str) -> dict[int, tuple[Any, Any]]:
    """Numbers that differ, by their place."""
    found = {}
    for place, (one, other) in enumerate(zip_longest(_leaves(here), _leaves(there))):
        if isinstance(one, fx.Node) and isinstance(other, fx.Node) and one.name == other.name:
            continue
        if isinstance(one, fx.Node) or type(one) is not type(other):
            raise _another_graph(there, size)
        if one != other:
            found[place] = (one, other)
    return found


def _renumber(node: fx.Node, numbers: Mapping[int, tuple[Any, Any]], size: str) -> None:
    """Gives a node the numbers of the other size."""
    if not numbers:
        return
    places = count()

    def renumbered(leaf: Any) -> Any:
        old, new = numbers.get(next(places), (leaf, leaf))
        if type(leaf) is not type(old) or leaf != old:
            raise _built_in(node, size)
        return new

    arguments: Any = map_aggregate((node.args, node.kwargs), renumbered)
    node.args, node.kwargs = arguments


def _shapes(graph: fx.Graph) -> dict[str, tuple[int, ...]]:
    return {
        node.name: shape(node)
        for node in graph.nodes
        if node.op == "call_function" and isinstance(node.meta.get("val"), torch.Tensor)
    }


def _another_graph(node: fx.Node, size: str) -> DgqcError:
    return DgqcError(
        f"At the size {size} the model computes something else in {module_path(node)} ({node.name}) than at "
        "the first size, so that they can't share a bundle; compile it at that size by itself."
    )


def _built_in(node: fx.Node, size: str) -> DgqcError:
    return DgqcError(
        f"A pass has built the first size into {module_path(node)} ({node.name}), so that the program can't "
        f"be had at {size} too; leave that pass out, or compile at that size by itself."
    )
