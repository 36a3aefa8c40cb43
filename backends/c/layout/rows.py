"""What the nodes of a fusion group read of each other: rows of values, or values whole.

Which arguments an op reads by rows is what its kernel says (`kernels/kernel.py`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any

from torch import fx

from ....ir.nodes import arguments
from ....ir.ops.integer import has_weight, reads_all_keys
from ....ir.views import view_of
from ..kernels.registry import kernel_of, row_arguments
from ..kernels.value_rows import part, row_count


def row_sources(node: fx.Node) -> frozenset[fx.Node]:
    """The values that a node reads by rows and not whole as well; none where it is computed whole."""
    a = arguments(node) if kernel_of(node) is not None else {}
    names = row_arguments(node) or ()
    whole = {source for name, value in a.items() if name not in names for source in _nodes(value)}
    return frozenset(source for name in names for source in _nodes(a[name])) - whole


def read_while_preparing(node: fx.Node) -> frozenset[fx.Node]:
    """The values that are read before the first block of rows and never after."""
    kernel, a = kernel_of(node), arguments(node)
    names = () if kernel is None else kernel.prepared(node, a)
    later = {source for name, value in a.items() if name not in names for source in _nodes(value)}
    return frozenset(source for name in names for source in _nodes(a[name])) - later


def _nodes(value: Any) -> Iterator[fx.Node]:
    if isinstance(value, fx.Node):
        yield value
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, fx.Node))


def keeps_rows(node: fx.Node) -> bool:
    """Whether rows of a value are rows of the value that it is a view of, some to one or one to some, in the
    same order; true where it is no view."""
    view = view_of(node)
    if view is None:
        return True
    source = node.all_input_nodes[0]
    inner = part(source, node.args[1] if node.target is operator.getitem else 0)  # type: ignore[arg-type]
    return inner.numel() == part(node).numel() and view.offset == 0 and keeps_rows(source)


def group_rows(group: Iterable[fx.Node]) -> int:
    """The rows of a fusion group: those of its node with the fewest. Others may have several for each, like
    the heads of a token."""
    return min(row_count(node) for node in group)


def work(node: fx.Node) -> int:
    """What a node takes to compute, in values of a simple op; 64 products count as one."""
    value = node.meta["val"]
    size = sum(part.numel() for part in (value if isinstance(value, list | tuple) else (value,)))
    return int(size) * (1 + products_in_a_sum(node) // 64)


def products_in_a_sum(node: fx.Node) -> int:
    """Products in each value of a sum."""
    if has_weight(node):
        return math.prod(part(arguments(node)["weight"]).shape[1:])
    return int(part(node.all_input_nodes[0]).shape[-1]) if reads_all_keys(node) else 0
