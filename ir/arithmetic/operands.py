"""Operands of products: their shapes, their constants, and what their values lie between."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ..errors import DgqcError
from ..nodes import arguments
from ..ops.integer import ProductArguments, product_of, value_range
from ..program import Program
from ..shapes import propagated
from ..tensors import constant
from .accumulators import centered_codes
from .intervals import Interval


def value_of(node: Any) -> torch.Tensor:
    """The tensor that a `get_attr` node names. Raises DgqcError for any other node."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        raise DgqcError(f"{node} must be a constant of the integer graph (a get_attr node).")
    owner = node.graph.owning_module
    assert owner is not None
    return constant(owner, str(node.target)).detach()


def ensure_shapes(program: Program) -> None:
    """Sets `node.meta["val"]` on every node of the graph that lacks it."""
    nodes = program.graph.graph.nodes
    if any("val" not in node.meta for node in nodes if node.op != "output"):
        for node, value in propagated(program).items():
            node.meta["val"] = value


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's value, from `node.meta["val"]`."""
    return tuple(int(size) for size in node.meta["val"].shape)


def operand_codes(product: fx.Node, side: int = 0) -> tuple[int, int]:
    """The smallest and largest code of a product's side. side: its place in `ProductArguments.operands`."""
    known, given = _known(product), arguments(product)
    if known.quantizes:
        return 0, 2 ** int(given["bits"]) - 1
    return value_range(given[known.operands[side].codes])


def operand_groups(product: fx.Node, side: int = 0, multiplied: bool = True) -> Interval:
    """What each group's values, multiple * (code - zero), lie between at each call: int64 (T, G).

    multiplied: False for code - zero alone.
    """
    operand, given = _known(product).operands[side], arguments(product)
    zero, multiple = value_of(given[operand.zero]), value_of(given[operand.multiple])
    return centered_codes(
        operand_codes(product, side), zero, multiple if multiplied else torch.ones_like(multiple)
    )


def group_of_channels(product: fx.Node, side: int = 0) -> torch.Tensor | None:
    """The group of each index of the summed axis, uint8 (K,); None where groups lie along rows."""
    operand, given = _known(product).operands[side], arguments(product)
    axis = given[operand.axis] if isinstance(operand.axis, str) else operand.axis
    axes = given[operand.codes].meta["val"].dim()
    along = axis is not None and axis % axes == operand.summed % axes
    return value_of(given[operand.group]) if along else None


def operand_values(product: fx.Node, side: int = 0) -> Interval:
    """What one side's values lie between at any call.

    Returns int64 (K,) along the summed axis where groups lie along it, else (1,).
    """
    groups, index = operand_groups(product, side).united(0), group_of_channels(product, side)
    return groups.united(0, keepdim=True) if index is None else groups.at(index)


def _known(product: fx.Node) -> ProductArguments:
    found = product_of(product)
    if found is None:
        raise DgqcError(f"{product.name} is no product.")
    return found
