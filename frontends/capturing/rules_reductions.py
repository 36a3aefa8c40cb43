"""How sums over axes are captured: all of them are means of rows, and maxima are those of windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import fx

from .functions import one_function
from .graph_builder import aten
from .norms import last_axes_as_one, mean_of
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_arithmetic import multiply, subtract
from .values import CapturedValue

ReducedAxes = Sequence[int] | int | None


@capture_rule(aten.mean.dim, aten.mean.default)
def mean(
    rewriter: Rewriter,
    value: fx.Node,
    dim: ReducedAxes = None,
    keepdim: bool = False,
    *,
    dtype: object = None,
) -> CapturedValue:
    """The mean of rows; other axes are put last."""
    return mean_of(rewriter, value, _axes(value, dim), keepdim)


@capture_rule(aten.sum.dim_IntList, aten.sum.default)
def total(
    rewriter: Rewriter,
    value: fx.Node,
    dim: ReducedAxes = None,
    keepdim: bool = False,
    *,
    dtype: object = None,
) -> CapturedValue:
    """A mean times a count."""
    return multiply(rewriter, mean(rewriter, value, dim, keepdim), float(_count(value, _axes(value, dim))))


@capture_rule(aten.var.correction)
def variance(
    rewriter: Rewriter,
    value: fx.Node,
    dim: ReducedAxes = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> CapturedValue:
    """The mean of squared differences from the mean."""
    axes = _axes(value, dim)
    middle = mean_of(rewriter, value, axes, keep=True)
    apart = subtract(rewriter, value, middle)
    squares = mean_of(rewriter, rewriter.emit(aten.mul.Tensor, apart, apart), axes, keepdim)
    count, less = _count(value, axes), 1 if correction is None else correction
    return multiply(rewriter, squares, count / (count - less))


@capture_rule(aten.var.dim)
def variance_of_axes(
    rewriter: Rewriter, value: fx.Node, dim: ReducedAxes = None, unbiased: bool = True, keepdim: bool = False
) -> CapturedValue:
    """As `var.correction`."""
    return variance(rewriter, value, dim, correction=int(unbiased), keepdim=keepdim)


@capture_rule(aten.var_mean.correction)
def variance_and_mean(
    rewriter: Rewriter,
    value: fx.Node,
    dim: ReducedAxes = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> CapturedValue:
    spread = variance(rewriter, value, dim, correction=correction, keepdim=keepdim)
    return [spread, mean(rewriter, value, dim, keepdim)]


@capture_rule(aten.std.correction)
def deviation(
    rewriter: Rewriter,
    value: fx.Node,
    dim: ReducedAxes = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> CapturedValue:
    spread = variance(rewriter, value, dim, correction=correction, keepdim=keepdim)
    return one_function(rewriter, "sqrt", (spread,))


@capture_rule(aten.linalg_vector_norm.default)
def length(
    rewriter: Rewriter,
    value: fx.Node,
    ord: float = 2,
    dim: ReducedAxes = None,
    keepdim: bool = False,
    *,
    dtype: object = None,
) -> CapturedValue:
    """The root of the sum of squares."""
    if ord != 2:
        raise rewriter.unsupported(detail=f"its order is {ord}, not 2")
    squares = rewriter.emit(aten.mul.Tensor, value, value)
    return one_function(rewriter, "sqrt", (total(rewriter, squares, dim, keepdim),))


@capture_rule(aten.amax.default)
def largest(
    rewriter: Rewriter, value: fx.Node, dim: ReducedAxes = None, keepdim: bool = False
) -> CapturedValue:
    """The maximum of windows as long as a row."""
    shape, axes = [int(size) for size in value.meta["val"].shape], _axes(value, dim)
    rows = last_axes_as_one(rewriter, value, tuple(sorted(axis % len(shape) for axis in axes)))
    *outer, row = (int(size) for size in rows.meta["val"].shape)
    image = rewriter.reshape(rows, [1, 1, math.prod(outer), row])
    found = rewriter.emit(aten.max_pool2d.default, image, [1, row], [1, row], [0, 0])
    chosen = {axis % len(shape) for axis in axes}
    kept = [1 if axis in chosen else size for axis, size in enumerate(shape) if keepdim or axis not in chosen]
    return rewriter.reshape(found, kept)


@capture_rule(aten.amin.default)
def smallest(
    rewriter: Rewriter, value: fx.Node, dim: ReducedAxes = None, keepdim: bool = False
) -> CapturedValue:
    """The negative of the largest negative."""
    return multiply(rewriter, largest(rewriter, multiply(rewriter, value, -1.0), dim, keepdim), -1.0)


@capture_rule(aten.max.dim)
def largest_and_place(rewriter: Rewriter, value: fx.Node, dim: int, keepdim: bool = False) -> CapturedValue:
    """Nobody reads the places that it gives as well."""
    return [largest(rewriter, value, dim, keepdim), None]


@capture_rule(aten.min.dim)
def smallest_and_place(rewriter: Rewriter, value: fx.Node, dim: int, keepdim: bool = False) -> CapturedValue:
    """The smallest; nobody reads the places that it gives as well."""
    return [smallest(rewriter, value, dim, keepdim), None]


def _axes(value: fx.Node, dim: ReducedAxes) -> list[int]:
    """The axes that are meant; none means all."""
    if isinstance(dim, int):
        return [dim]
    return list(dim) if dim else list(range(value.meta["val"].dim()))


def _count(value: fx.Node, axes: Sequence[int]) -> int:
    return math.prod(int(value.meta["val"].shape[axis]) for axis in axes)
