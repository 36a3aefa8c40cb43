"""Whose columns to reorder so that a value's columns come in another order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import fx

from ....passes.graph.edit import dgqc, shape
from .columns import PRODUCTS

ELEMENTWISE: Mapping[Any, int] = {
    dgqc.activation.default: 1,
    dgqc.rescale.default: 1,
    dgqc.add.default: 2,
    dgqc.mul.default: 2,
}
"""Ops whose result's columns each depend on the same column of their first so many arguments alone, if these
have as many."""


def products_behind(reader: fx.Node) -> list[fx.Node] | None:
    """The products with weights that all columns of a node's first argument come from, by ops that work
    element by element. None where something else lies behind them, or where anybody besides the node reads
    any value on the way: its columns must stay as they are.
    """
    inside, products = {reader}, list[fx.Node]()
    rest = _values(reader, 1)
    while rest:
        node = rest.pop()
        if node in inside:
            continue
        inside.add(node)
        if node.target in PRODUCTS:
            products.append(node)
            continue
        values = _values(node, ELEMENTWISE.get(node.target, 0))
        if not values or any(shape(value)[-1:] != shape(node)[-1:] for value in values):
            return None
        rest += values
    return products if _readers(inside - {reader}) <= inside else None


def _values(node: fx.Node, count: int) -> list[fx.Node]:
    return [value for value in node.args[:count] if isinstance(value, fx.Node)]


def _readers(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    return {user for node in nodes for user in node.users}
