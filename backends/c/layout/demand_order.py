"""An order of a graph's nodes in which values that are large die soon."""

from __future__ import annotations

from collections.abc import Iterable

from torch import fx

from ....ir.views import View, root_of, views_of
from ....passes.graph.edit import dgqc
from ..kernels.value_rows import value_bytes
from .thread_buffers import readers, results


def order_by_demand(module: fx.GraphModule, parts: frozenset[str]) -> None:
    """Moves the parts of large values to where somebody first needs them; all other nodes keep their order.
    But what takes the place of a part that nobody else will read comes at once, where it isn't larger.

    parts: names of the nodes that are parts of large values.
    """
    nodes = list(module.graph.nodes)
    last = nodes[-1]
    for node in _Demand(nodes, parts).order():
        if node.op not in ("placeholder", "output"):
            last.prepend(node)


class _Demand:
    """What is done, in order."""

    def __init__(self, nodes: list[fx.Node], parts: frozenset[str]) -> None:
        self._nodes, self._parts = nodes, parts
        self._views: dict[str, View] = views_of(nodes)
        self._named = {node.name: node for node in nodes}
        self._places = {node: place for place, node in enumerate(nodes)}
        self._readers = {node: {reader for _, reader in readers(node, self._views)} for node in nodes}
        self._done: dict[fx.Node, None] = {}

    def order(self) -> Iterable[fx.Node]:
        for node in self._nodes:
            # Sums of channels are read when all of an image has been seen.
            if node.name not in self._parts or node.target is dgqc.channel_sums.default:
                self._need(node)
        return self._done

    def _need(self, wanted: fx.Node) -> None:
        """Does a node after everything that it reads."""
        stack = [wanted]
        while stack:
            node = stack[-1]
            left = [source for source in node.all_input_nodes if source not in self._done]
            if left and node not in self._done:
                stack.append(left[0])
                continue
            stack.pop()
            if node not in self._done:
                self._do(node)

    def _do(self, node: fx.Node) -> None:
        self._done[node] = None
        if node.name in self._parts and node.name not in self._views:
            # First what is computed from it row by row, so that both run together.
            self._replace(node)
            for source in node.all_input_nodes:
                self._replace(self._named[root_of(source, self._views)])

    def _replace(self, value: fx.Node) -> None:
        """Does the last readers of a part, where all can be done and what they give is no larger."""
        if value.name not in self._parts:
            return
        waiting = [one for one in self._readers[value] if one not in self._done]
        if not waiting or any(one.name not in self._parts for one in waiting):
            return
        ready = all(self._can_be_done(one) for one in waiting)
        if ready and sum(map(_bytes, waiting)) <= _bytes(value):
            for one in sorted(waiting, key=self._places.__getitem__):
                self._need(one)

    def _can_be_done(self, node: fx.Node) -> bool:
        """Whether all that is computed for it is there."""
        roots = (self._named[root_of(source, self._views)] for source in node.all_input_nodes)
        return all(root in self._done or root.op == "get_attr" for root in roots)


def _bytes(node: fx.Node) -> int:
    return sum(value_bytes(value) for _, value in results(node))
