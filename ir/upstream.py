"""What a value is computed from."""

from __future__ import annotations

from collections.abc import Iterable

from torch import fx


def upstream_of(nodes: Iterable[fx.Node], known: fx.Node | None = None) -> set[fx.Node]:
    """The nodes and everything they are computed from, but for one value, and what that alone needs."""
    found: set[fx.Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node is not known and node not in found:
            found.add(node)
            waiting.extend(node.all_input_nodes)
    return found
