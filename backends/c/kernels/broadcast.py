"""Loops over tensors with as few axes as possible."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .runtime_header import defined

PAIR_AXES, PERMUTE_AXES = defined("DGQC_PAIR_AXES"), defined("DGQC_PERMUTE_AXES")
Axes = tuple[tuple[int, ...], ...]


def merged(axes: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Axes (size, stride, stride, ...) from the outside in, without those of size 1; neighbours are joined
    where one loop can walk both."""
    joined: list[tuple[int, ...]] = []
    for size, *strides in axes:
        if size == 1:
            continue
        if joined and all(
            outer == inner * size for outer, inner in zip(joined[-1][1:], strides, strict=True)
        ):
            joined[-1] = (joined[-1][0] * size, *strides)
        else:
            joined.append((size, *strides))
    return joined


def _padded(axes: list[tuple[int, ...]], count: int, strides: int) -> Axes | None:
    if len(axes) > count:
        return None
    filled = [(1,) + (0,) * strides] * (count - len(axes)) + axes
    return tuple(zip(*filled, strict=True))


def merged_rows(shape: tuple[int, ...], y: tuple[int, ...]) -> Axes | None:
    """How a tensor is broadcast over the rows of y: sizes of y's row axes, and how far the tensor moves along
    each; three axes, None where they are not enough."""
    strides = broadcast_strides(shape, len(y))
    return _padded(merged(list(zip(y[:-1], strides[:-1], strict=True))), PAIR_AXES, 1)


def broadcast_strides(shape: tuple[int, ...], axes: int) -> list[int]:
    """How far a contiguous tensor moves along each of `axes` axes; 0 where it is broadcast."""
    shape = (1,) * (axes - len(shape)) + shape
    return [0 if size == 1 else math.prod(shape[axis + 1 :]) for axis, size in enumerate(shape)]


def merged_permutation(shape: tuple[int, ...], strides: tuple[int, ...]) -> Axes | None:
    """Sizes and strides of a copy in another order, six axes each, the last one by itself; None where six are
    not enough."""
    if not shape:
        shape, strides = (1,), (1,)
    rows = _padded(merged(list(zip(shape[:-1], strides[:-1], strict=True))), PERMUTE_AXES - 1, 1)
    return rows and ((*rows[0], shape[-1]), (*rows[1], strides[-1]))
