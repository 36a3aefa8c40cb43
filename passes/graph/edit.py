"""Small helpers for passes that change a graph."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from ...ir import ops as ops  # registers the `dgqc::` ops that are named below
from ...ir.ops.captured import is_layer
from ...ir.program import Program
from ...ir.shapes import propagated

aten = torch.ops.aten
dgqc = torch.ops.dgqc


MILLION = 10**6


def constant(graph: fx.GraphModule, node: fx.Node) -> torch.Tensor:
    """The tensor that a `get_attr` node names."""
    value = operator.attrgetter(str(node.target))(graph)
    assert isinstance(value, torch.Tensor)
    return value


def weight_count(graph: fx.GraphModule) -> int:
    """How many weights the products of a float graph have."""
    return sum(constant(graph, n.args[1]).numel() for n in graph.graph.nodes if is_layer(n))


def shape(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's value for one sample."""
    return tuple(node.meta["val"].shape)


def module_path(node: fx.Node) -> str:
    """Where the node comes from in the user's model, for messages."""
    return str(node.meta.get("module") or node.name)


def identifier(text: str) -> str:
    """A name that may stand in a graph."""
    return re.sub(r"\W+", "_", text).strip("_") or "value"


def add_constant(graph: fx.GraphModule, name: str, value: torch.Tensor) -> fx.Node:
    """Registers a tensor under an unused name near `name` and gives its `get_attr` node.

    The node goes to the graph's insertion point.
    """
    base, unique, count = identifier(name), identifier(name), 0
    while hasattr(graph, unique):
        count += 1
        unique = f"{base}_{count}"
    graph.register_buffer(unique, value)
    return graph.graph.get_attr(unique)


def call(
    graph: fx.Graph, target: Callable[..., Any], args: tuple[Any, ...], like: fx.Node, name: str | None = None
) -> fx.Node:
    """A new call at the insertion point that carries the module path of `like`."""
    node = graph.create_node("call_function", target, args, name=identifier(name) if name else None)
    node.meta["module"] = like.meta.get("module")
    return node


def placeholders_upstream(graph: fx.Graph) -> dict[fx.Node, frozenset[str]]:
    """For each node, the names of the placeholders it depends on."""
    found: dict[fx.Node, frozenset[str]] = {}
    for node in graph.nodes:
        own = {str(node.target)} if node.op == "placeholder" else set()
        found[node] = frozenset(own).union(*(found[i] for i in node.all_input_nodes))
    return found


def edge_convolutions(graph: fx.Graph) -> set[fx.Node]:
    """The first and the last convolution: those that read the sample or write the output directly."""
    views = {aten.reshape.default, aten.permute.default, dgqc.site.default}
    edges: set[fx.Node] = set()
    for node in graph.nodes:
        if node.target is not aten.conv2d.default:
            continue
        source = node.args[0]
        while source.target in views:
            source = source.args[0]
        sinks = list(node.users)
        while len(sinks) == 1 and sinks[0].target in views:
            sinks = list(sinks[0].users)
        if source.op == "placeholder" or any(sink.op == "output" for sink in sinks):
            edges.add(node)
    return edges


def clean(graph: fx.GraphModule) -> None:
    """Removes dead nodes and unused constants; the module's code is written when it is called."""
    graph.graph.eliminate_dead_code()
    used = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    for owner_name, owner in list(graph.named_modules()):
        for table in (owner._buffers, owner._parameters):
            for key in list(table):
                path = f"{owner_name}.{key}" if owner_name else key
                if path not in used:
                    del table[key]
    graph.graph.lint()
    _recompile_on_demand(graph)


def _recompile_on_demand(graph: fx.GraphModule) -> None:
    """As `recompile`, once somebody calls the module or reads its code: few graphs between passes are."""

    def forward(self: fx.GraphModule, *arguments: Any, **keywords: Any) -> Any:
        self.recompile()
        return self.forward(*arguments, **keywords)

    # Every GraphModule has a class of its own, whose `forward` recompile replaces.
    own: Any = type(graph)
    own.forward = forward
    own.code = property(lambda self: self.recompile().src)


def propagate(program: Program) -> None:
    """Fills `meta["val"]` of every node with a tensor that has no values, for one sample."""
    for node, value in propagated(program).items():
        if node.op != "output":
            node.meta["val"] = value
