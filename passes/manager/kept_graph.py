"""A graph as it was: what its nodes said, without the cost of a copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx
from torch.fx.node import map_arg


@dataclass(frozen=True)
class _KeptNode:
    """What a node said. Arguments are immutable: whoever changes them gives the node others."""

    node: fx.Node
    op: str
    name: str
    target: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class KeptGraph:
    """The nodes of a graph at one moment. A copy takes ten times as long, and hardly any is asked for."""

    nodes: tuple[_KeptNode, ...]

    @staticmethod
    def of(graph: fx.Graph) -> KeptGraph:
        return KeptGraph(
            tuple(
                _KeptNode(
                    node, node.op, node.name, node.target, node.args, dict(node.kwargs), dict(node.meta)
                )
                for node in graph.nodes
            )
        )

    def restored(self) -> fx.Graph:
        """A new graph of the same nodes."""
        graph, made = fx.Graph(), dict[fx.Node, fx.Node]()
        for kept in self.nodes:
            arguments = map_arg(kept.arguments, made.__getitem__)
            keywords = map_arg(kept.keywords, made.__getitem__)
            node = graph.create_node(kept.op, kept.target, arguments, keywords, kept.name)
            node.meta = dict(kept.meta)
            made[kept.node] = node
        return graph
