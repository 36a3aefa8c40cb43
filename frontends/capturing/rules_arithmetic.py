"""How arithmetic is captured: add and mul by a tensor or a number are what remains."""

from __future__ import annotations

import torch
from torch import fx

from .functions import fused, one_function
from .graph_builder import aten
from .images import sum_on_image
from .norms import normalized, with_gain, with_offset
from .registry import capture_rule
from .rewriter import Rewriter
from .values import CapturedValue, Complex, Constant


@capture_rule(aten.add.Tensor, aten.add.Scalar, broadcasts=True)
def add(rewriter: Rewriter, left: CapturedValue, right: CapturedValue, alpha: float = 1) -> CapturedValue:
    """A sum; a number is added as it is, and a constant for each channel goes into a norm before it."""
    left, right = number_of(rewriter, left, right), number_of(rewriter, right, left)
    if not isinstance(left, fx.Node):
        # Only the right one is scaled, so this holds for alpha = 1 or after scaling.
        return add(rewriter, _scale(rewriter, right, alpha), left)
    if isinstance(right, int | float):
        return _add_number(rewriter, left, right * alpha)
    return sum_of(rewriter, left, _scale(rewriter, right, alpha))


@capture_rule(aten.sub.Tensor, aten.sub.Scalar, broadcasts=True)
def subtract(
    rewriter: Rewriter, left: CapturedValue, right: CapturedValue, alpha: float = 1
) -> CapturedValue:
    """A sum with the other's negative."""
    return add(rewriter, left, right, -alpha)


@capture_rule(aten.rsub.Scalar, aten.rsub.Tensor, broadcasts=True)
def reverse_subtract(
    rewriter: Rewriter, left: CapturedValue, right: CapturedValue, alpha: float = 1
) -> CapturedValue:
    """A sum with the first one's negative."""
    return add(rewriter, right, left, -alpha)


@capture_rule(aten.neg.default, broadcasts=True)
def negate(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    """A product with -1."""
    return _scale(rewriter, value, -1)


@capture_rule(aten.mul.Tensor, aten.mul.Scalar, broadcasts=True, takes_complex=True)
def multiply(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    """A product; a positive number goes into the scale, a constant for each channel into a norm before it."""
    if isinstance(left, Complex) or isinstance(right, Complex):
        return _complex_product(rewriter, *(_parts(rewriter, side) for side in (left, right)))
    left, right = number_of(rewriter, left, right), number_of(rewriter, right, left)
    if not isinstance(left, fx.Node):
        left, right = right, left
    if isinstance(right, int | float):
        return _scale(rewriter, left, right)
    if isinstance(right, fx.Node):
        found = fused(rewriter, "mul", left, right) or normalized(rewriter, left, right)
        return found or rewriter.emit(aten.mul.Tensor, left, right)
    return with_gain(rewriter, left, right) or rewriter.emit(aten.mul.Tensor, left, right)


def sum_of(rewriter: Rewriter, left: fx.Node, right: CapturedValue) -> CapturedValue:
    """Of a value and another one, or a constant."""
    if isinstance(right, fx.Node):
        found = fused(rewriter, "add", left, right) or sum_on_image(rewriter, left, right)
        return found or rewriter.emit(aten.add.Tensor, left, right)
    return with_offset(rewriter, left, right) or rewriter.emit(aten.add.Tensor, left, right)


@capture_rule(aten.div.Tensor, aten.div.Scalar, broadcasts=True)
def divide(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    """A product with the reciprocal."""
    right = number_of(rewriter, right, left)
    if isinstance(right, int | float):
        return _scale(rewriter, left, 1.0 / right)
    if isinstance(right, Constant):
        return multiply(rewriter, left, rewriter.constant(1.0 / right.tensor))
    if rewriter.builder.depends_on_sample(right):
        return multiply(rewriter, left, one_function(rewriter, "reciprocal", (right,)))
    return multiply(rewriter, left, rewriter.emit(aten.reciprocal.default, right))


def number_of(rewriter: Rewriter, value: CapturedValue, other: CapturedValue) -> CapturedValue:
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


def _parts(rewriter: Rewriter, value: CapturedValue) -> Complex:
    """A complex value, or what is one without its imaginary part."""
    if isinstance(value, Complex):
        return value
    if isinstance(value, Constant) and value.tensor.is_complex():
        real, imaginary = (
            rewriter.constant(part.contiguous()) for part in (value.tensor.real, value.tensor.imag)
        )
        return Complex(real, imaginary)
    return Complex(value, 0.0)


def _complex_product(rewriter: Rewriter, left: Complex, right: Complex) -> Complex:
    def part(one: CapturedValue, other: CapturedValue) -> CapturedValue:
        return multiply(rewriter, one, other)

    real = subtract(rewriter, part(left.real, right.real), part(left.imaginary, right.imaginary))
    imaginary = add(rewriter, part(left.real, right.imaginary), part(left.imaginary, right.real))
    return Complex(real, imaginary)


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
