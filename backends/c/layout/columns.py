"""Output columns of products with weights: how to take some of them, or all in another order.

A column is an index of the result's last axis, and of the first axis of some constants.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.fx.node import Argument

from ....ir.nodes import argument_names
from ....ir.ops.integer import product_of
from ....passes.graph.edit import add_constant, constant


def with_columns(
    module: fx.GraphModule, product: fx.Node, columns: torch.Tensor, suffix: str, widths: dict[str, int]
) -> tuple[Argument, ...]:
    """A product's arguments for these of its columns, in this order: its result's columns, bit for bit.

    columns: int64 (n,). suffix: for names of new constants, which stand in front of the product; the old
    ones stay for others who read them. widths: bits of weights by name, to which the new one's are added.
    """
    found, known = list(product.args), product_of(product)
    assert known is not None
    with module.graph.inserting_before(product):
        for place, name in enumerate(argument_names(product)):
            if name in known.per_column:
                old = found[place]
                assert isinstance(old, fx.Node)
                new = add_constant(module, f"{old.target}_{suffix}", constant(module, old)[columns])
                found[place] = new
                if name == known.weight:
                    widths[str(new.target)] = widths.get(str(old.target), 8)
    return tuple(found)


def present(module: fx.GraphModule, widths: dict[str, int]) -> dict[str, int]:
    """The bits of those weights that the graph still has."""
    names = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    return {name: bits for name, bits in widths.items() if name in names}
