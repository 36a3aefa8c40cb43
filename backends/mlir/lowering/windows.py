"""Convolutions as products of rows: each output position's patch is a row."""

from __future__ import annotations

from collections.abc import Sequence

from torch_mlir import ir

from ....ir.ops.product import convolved
from ..arithmetic.tensors import Filler, Map, each, padded, part, reshaped, shape_of, width_of


def patches(
    image: ir.Value,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    around: Filler = 0,
) -> tuple[ir.Value, tuple[int, int]]:
    """(H' * W', kh * kw * C) of an image (H, W, C) with a number around it, and (H', W')."""
    *sizes, channels = shape_of(image)
    size = window_count(sizes, kernel, stride, padding)
    positions, taps = size[0] * size[1], kernel[0] * kernel[1]
    if taps == 1 and tuple(stride) == (1, 1) and not any(padding):
        return reshaped(image, [positions, channels]), size
    extent = [(out - 1) * step + taps for out, step, taps in zip(size, stride, kernel, strict=True)]
    places: Map = [f"d0 * {stride[0]} + d2", f"d1 * {stride[1]} + d3", 4]
    source = (framed(image, padding, extent, around), places)
    gathered = each([*size, *kernel, channels], width_of(image), [source], lambda x: x)
    return reshaped(gathered, [positions, taps * channels]), size


def framed(image: ir.Value, before: Sequence[int], sizes: Sequence[int], around: Filler) -> ir.Value:
    """An image (H, W, C) with a number before and behind it, or cut off, so that it has these sizes.

    Loops over windows take all of what they read, not some of it.
    """
    after = []
    for axis in range(2):
        missing = sizes[axis] - before[axis] - shape_of(image)[axis]
        image = part(image, axis, 0, shape_of(image)[axis] + min(0, missing))
        after.append(max(0, missing))
    return padded(image, [*before, 0], [*after, 0], around)


def window_count(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int, int]:
    """(H', W'): how many windows there are along each axis of an image."""
    height, width = (convolved(*axis) for axis in zip(sizes, kernel, stride, padding, strict=True))
    return height, width
