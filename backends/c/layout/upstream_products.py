"""Whose columns to reorder so that a value's columns come in another order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import fx

from ....ir.ops.integer import elementwise_arguments, takes_codes_and_weight
from ....passes.graph.edit import shape


def upstream_products(reader: fx.Node) -> list[fx.Node] | None:
    """The products with weights that all columns of a node's first argument come from, by ops that work
    element by element. None where they come from something else, or where anybody besides the node reads
    any value on the way: its columns must stay as they are.
    """
    inside, products = {reader}, list[fx.Node]()
    rest = _nodes(reader.args[:1])
    while rest:
        node = rest.pop()
        if node in inside:
            continue
        inside.add(node)
        if takes_codes_and_weight(node):
            products.append(node)
            continue
        values = _nodes(elementwise_arguments(node))
        if not values or any(shape(value)[-1:] != shape(node)[-1:] for value in values):
            return None
        rest += values
    return products if _readers(inside - {reader}) <= inside else None


def _nodes(values: Iterable[Any]) -> list[fx.Node]:
    return [value for value in values if isinstance(value, fx.Node)]


def _readers(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    return {user for node in nodes for user in node.users}
