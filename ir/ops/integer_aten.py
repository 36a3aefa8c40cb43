"""PyTorch's own ops that may stand at the integer level: they move values and have their own reference."""

from __future__ import annotations

import operator

import torch
from torch import fx

from ..nodes import argument
from ..verify.argument_rules import contiguous_slice, same_type
from ..verify.checks import anything
from .integer import IntegerOp, Known, Moved, ValueRange, register_integer

aten = torch.ops.aten


def _one_result(node: fx.Node, known: Known) -> ValueRange | None:
    """What a record says of values holds for the first of several results."""
    first: bool = argument(node, "index") == 0
    return known(argument(node, "source")) if first else None


register_integer(IntegerOp(aten.reshape.default, rule=anything, values=Moved("self")))
register_integer(IntegerOp(aten.permute.default, rule=anything, values=Moved("self")))
register_integer(IntegerOp(aten.slice.Tensor, rule=contiguous_slice, values=Moved("self")))
register_integer(IntegerOp(aten.cat.default, rule=same_type, values=Moved("tensors")))
register_integer(IntegerOp(operator.getitem, rule=anything, values=_one_result))
