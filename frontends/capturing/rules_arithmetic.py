"""How arithmetic is captured: add and mul by a tensor or a number are what remains."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .values import CapturedValue, Constant


@capture_rule(aten.add.Tensor, aten.add.Scalar)
def add(rewriter: Rewriter, left: CapturedValue, right: CapturedValue, alpha: float = 1) -> CapturedValue:
    left, right = _number(rewriter, left, right), _number(rewriter, right, left)
    if not isinstance(left, fx.Node):
        # Only the right one is scaled, so this holds for alpha = 1 or after scaling.
        return add(rewriter, _scale(rewriter, right, alpha), left)
    if isinstance(right, int | float):
        return _add_number(rewriter, left, right * alpha)
    return rewriter.emit(aten.add.Tensor, left, _scale(rewriter, right, alpha))


@capture_rule(aten.sub.Tensor, aten.sub.Scalar)
def subtract(
    rewriter: Rewriter, left: CapturedValue, right: CapturedValue, alpha: float = 1
) -> CapturedValue:
    return add(rewriter, left, right, -alpha)


@capture_rule(aten.rsub.Scalar, aten.rsub.Tensor)
def reverse_subtract(
    rewriter: Rewriter, left: CapturedValue, right: CapturedValue, alpha: float = 1
) -> CapturedValue:
    return add(rewriter, right, left, -alpha)


@capture_rule(aten.neg.default)
def negate(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    return _scale(rewriter, value, -1)


@capture_rule(aten.mul.Tensor, aten.mul.Scalar)
def multiply(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    left, right = _number(rewriter, left, right), _number(rewriter, right, left)
    if not isinstance(left, fx.Node):
        left, right = right, left
    if isinstance(right, int | float):
        return _scale(rewriter, left, right)
    return rewriter.emit(aten.mul.Tensor, left, right)


@capture_rule(aten.div.Tensor, aten.div.Scalar)
def divide(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    right = _number(rewriter, right, left)
    if isinstance(right, int | float):
        return _scale(rewriter, left, 1.0 / right)
    if isinstance(right, Constant):
        return multiply(rewriter, left, rewriter.constant(1.0 / right.tensor))
    if rewriter.builder.depends_on_sample(right):
        raise rewriter.unsupported(detail="it divides by a value that depends on the sample")
    return multiply(rewriter, left, rewriter.emit(aten.reciprocal.default, right))


@capture_rule(
    aten.sin.default,
    aten.cos.default,
    aten.exp.default,
    aten.log.default,
    aten.reciprocal.default,
    aten.sqrt.default,
    aten.rsqrt.default,
    aten.relu.default,
    aten.tanh.default,
    aten.sigmoid.default,
)
def condition_only(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    """Allowed where nothing depends on the sample."""
    if rewriter.builder.depends_on_sample(value):
        raise rewriter.unsupported(detail="it has no integer form on values that depend on the sample")
    return rewriter.emit(rewriter.node.target, value)


@capture_rule(aten.embedding.default)
def embedding(rewriter: Rewriter, table: Constant, index: fx.Node, *arguments: Any) -> CapturedValue:
    if rewriter.builder.depends_on_sample(index):
        raise rewriter.unsupported(detail="it looks up values that depend on the sample")
    return rewriter.emit(aten.embedding.default, table, index)


def _number(rewriter: Rewriter, value: CapturedValue, other: CapturedValue) -> CapturedValue:
    """A constant that is one number everywhere, and adds no dimension to the other side, as that number."""
    if not isinstance(value, Constant) or not isinstance(other, fx.Node) or value.tensor.is_meta:
        return value
    tensor, partner = value.tensor, other.meta["val"]
    if (tensor.to("meta") + partner).shape != partner.shape:
        return value
    if torch.result_type(tensor, partner) != partner.dtype or tensor.numel() == 0:
        return value
    first = tensor.reshape(-1)[0]
    return first.item() if bool((tensor == first).all()) else value


def _add_number(rewriter: Rewriter, value: fx.Node, number: float) -> fx.Node:
    if number == 0:
        return value
    return rewriter.emit(aten.add.Tensor, value, number)


def _scale(rewriter: Rewriter, value: CapturedValue, number: float) -> CapturedValue:
    if number == 1:
        return value
    if isinstance(value, int | float):
        return value * number
    if isinstance(value, Constant):
        return rewriter.constant(value.tensor * number)
    return rewriter.emit(aten.mul.Tensor, value, number)
