"""How pointwise ops are captured: as functions of one value, or as they are where they see no sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...ir.formula import pointwise_overloads
from .functions import emit_function, one_function
from .graph_builder import aten
from .registry import capture_rule, capture_rule_of
from .rewriter import Rewriter
from .rules_arithmetic import add, divide, multiply, number_of, subtract
from .values import CapturedValue, Constant

SHUT = -1e4
"""A score this low or lower is a mask's: softmax gives it nothing."""
LOWEST = -1e30
"""What stands for minus infinity, which times 0 would be no number."""


@capture_rule(torch.ops.dgqc.function.default)
def written(rewriter: Rewriter, value: fx.Node, text: str) -> CapturedValue:
    """Of a graph that was captured before."""
    return emit_function(rewriter, value, text)


@capture_rule(aten.pow.Tensor_Scalar, aten.square.default, broadcasts=True)
def power(rewriter: Rewriter, value: fx.Node, exponent: float = 2) -> CapturedValue:
    """A square is a product, all else a function."""
    if exponent == 1:
        return value
    if exponent == 2:
        return multiply(rewriter, value, value)
    if not rewriter.builder.depends_on_sample(value):
        return rewriter.emit(aten.pow.Tensor_Scalar, value, exponent)
    return one_function(rewriter, "pow", (value, exponent))


@capture_rule(aten.maximum.default, aten.max.other, broadcasts=True)
def maximum(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    """The right side, and what the left one is above it."""
    found = _as_one(rewriter, aten.maximum.default, left, right)
    if found is not None:
        return found
    if not isinstance(left, fx.Node):
        left, right = right, left
    above = one_function(rewriter, "relu", (subtract(rewriter, left, right),))
    return add(rewriter, above, right)


@capture_rule(aten.minimum.default, aten.min.other, broadcasts=True)
def minimum(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    """The left side, but what it is above the right one."""
    found = _as_one(rewriter, aten.minimum.default, left, right)
    if found is not None:
        return found
    if not isinstance(left, fx.Node):
        left, right = right, left
    return subtract(rewriter, left, one_function(rewriter, "relu", (subtract(rewriter, left, right),)))


@capture_rule(aten.clamp.Tensor, broadcasts=True)
def clamp(
    rewriter: Rewriter, value: fx.Node, low: CapturedValue = None, high: CapturedValue = None
) -> CapturedValue:
    """A maximum, then a minimum."""
    if not rewriter.builder.depends_on_sample(value):
        return rewriter.emit(aten.clamp.Tensor, value, low, high)
    above = value if low is None else maximum(rewriter, value, low)
    return above if high is None else minimum(rewriter, above, high)


@capture_rule(aten.prelu.default, aten._prelu_kernel.default)
def prelu(rewriter: Rewriter, value: fx.Node, slope: Constant) -> CapturedValue:
    """What is above zero, and the slope times what is below."""
    channels = slope.tensor.reshape(-1, *[1] * (value.meta["val"].dim() - 2))
    single = float(slope.tensor.flatten()[0])
    if bool((slope.tensor == single).all()):
        return one_function(rewriter, "leaky_relu", (value, single))
    below = one_function(rewriter, "clamp_max", (value, 0.0))
    scaled = multiply(rewriter, below, rewriter.constant(channels, "slope"))
    return add(rewriter, one_function(rewriter, "relu", (value,)), scaled)


@capture_rule(aten.glu.default)
def gated(rewriter: Rewriter, value: fx.Node, dim: int = -1) -> CapturedValue:
    size = int(value.meta["val"].shape[dim]) // 2
    axis = dim % value.meta["val"].dim()
    first, gate = (rewriter.emit(aten.slice.Tensor, value, axis, start, start + size) for start in (0, size))
    return multiply(rewriter, first, one_function(rewriter, "sigmoid", (gate,)))


@capture_rule(aten.lerp.Scalar, aten.lerp.Tensor, broadcasts=True)
def interpolate(
    rewriter: Rewriter, start: CapturedValue, end: CapturedValue, weight: CapturedValue
) -> CapturedValue:
    return add(rewriter, start, multiply(rewriter, subtract(rewriter, end, start), weight))


@capture_rule(aten.addcmul.default)
def add_product(
    rewriter: Rewriter, base: CapturedValue, left: CapturedValue, right: CapturedValue, *, value: float = 1
) -> CapturedValue:
    return add(rewriter, base, multiply(rewriter, multiply(rewriter, left, right), value))


@capture_rule(aten.addcdiv.default)
def add_quotient(
    rewriter: Rewriter, base: CapturedValue, left: CapturedValue, right: CapturedValue, *, value: float = 1
) -> CapturedValue:
    return add(rewriter, base, multiply(rewriter, divide(rewriter, left, right), value))


@capture_rule(aten.where.self, aten.where.ScalarOther, aten.where.ScalarSelf, broadcasts=True)
def choose(
    rewriter: Rewriter, condition: CapturedValue, yes: CapturedValue, no: CapturedValue
) -> CapturedValue:
    """Of a mask that is a constant: each side times where it counts, and their sum."""
    if not isinstance(condition, Constant):
        found = _as_one(rewriter, rewriter.node.target, condition, yes, no)
        if found is None:
            raise rewriter.unsupported(detail="it chooses by values that are computed at run time")
        return found
    return add(
        rewriter,
        _where(rewriter, yes, condition.tensor),
        _where(rewriter, no, condition.tensor.logical_not()),
    )


@capture_rule(aten.masked_fill.Scalar, aten.masked_fill.Tensor, broadcasts=True)
def fill(rewriter: Rewriter, value: fx.Node, mask: CapturedValue, number: CapturedValue) -> CapturedValue:
    number = float(number.tensor) if isinstance(number, Constant) else number
    if isinstance(mask, Constant) and isinstance(number, int | float) and number <= SHUT:
        return masked(rewriter, value, mask.tensor.logical_not(), number)
    return choose(rewriter, mask, number, value)


def masked(rewriter: Rewriter, scores: fx.Node, kept: torch.Tensor, number: float = LOWEST) -> CapturedValue:
    """Scores with so much added where they don't count. kept: bool, broadcast to them."""
    if not kept.is_meta and bool(kept.all()):
        return scores
    bias = torch.where(kept, 0.0, max(float(number), LOWEST)).to(scores.meta["val"].dtype)
    return add(rewriter, scores, rewriter.constant(bias, "mask"))


def _where(rewriter: Rewriter, value: CapturedValue, kept: torch.Tensor) -> CapturedValue:
    """A value where it counts, and zeros."""
    if isinstance(value, fx.Node):
        return multiply(rewriter, value, rewriter.constant(kept.to(value.meta["val"].dtype), "mask"))
    tensor = value.tensor if isinstance(value, Constant) else torch.tensor(float(value))
    numbers = tensor.clamp(min=LOWEST)
    return rewriter.constant(torch.where(kept, numbers, torch.zeros_like(numbers)), "masked")


def _as_one(rewriter: Rewriter, target: Any, *arguments: CapturedValue) -> CapturedValue:
    """As it is where nothing sees the sample, or as a function of one value; else None."""
    nodes = [value for value in arguments if isinstance(value, fx.Node)]
    if not any(rewriter.builder.depends_on_sample(node) for node in nodes):
        return rewriter.emit(target, *arguments)
    return one_function(
        rewriter, target._opname, [number_of(rewriter, value, nodes[0]) for value in arguments]
    )


@capture_rule(
    *(target for target in pointwise_overloads() if capture_rule_of(target) is None), broadcasts=True
)
def pointwise(rewriter: Rewriter, *arguments: Any, **keywords: Any) -> CapturedValue:
    """All others."""
    nodes = [value for value in (*arguments, *keywords.values()) if isinstance(value, fx.Node)]
    target = rewriter.node.target
    assert isinstance(target, torch._ops.OpOverload)
    if not any(rewriter.builder.depends_on_sample(node) for node in nodes):
        return rewriter.emit(target, *arguments, **keywords)
    given = [number_of(rewriter, value, nodes[0]) for value in arguments]
    found = one_function(rewriter, target._opname, given, keywords)
    if found is None:
        raise rewriter.unsupported(detail="it combines several values that depend on the sample")
    return found
