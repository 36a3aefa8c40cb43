"""Convolutions as products of rows: each output position's patch is a row."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_mlir import ir

from ....ir.ops.convolution import convolved
from ..arithmetic.tensors import Filler, Map, each, padded, part, reshaped, shape_of, width_of


def patches(
    image: ir.Value,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    around: Filler = 0,
) -> tuple[ir.Value, tuple[int, int]]:
    """(B * H' * W', kh * kw * C) of images (B, H, W, C), or of one (H, W, C), with a number around each, and
    (H', W')."""
    *images, height, width, channels = shape_of(image)
    size = window_count((height, width), kernel, stride, padding)
    positions, taps = math.prod(images) * size[0] * size[1], kernel[0] * kernel[1]
    if taps == 1 and tuple(stride) == (1, 1) and not any(padding):
        return reshaped(image, [positions, channels]), size
    extent = [(out - 1) * step + taps for out, step, taps in zip(size, stride, kernel, strict=True)]
    own = len(images)
    windows = [f"d{own + axis} * {stride[axis]} + d{own + axis + 2}" for axis in range(2)]
    places: Map = [*range(own), *windows, own + 4]
    source = (framed(image, padding, extent, around), places)
    gathered = each([*images, *size, *kernel, channels], width_of(image), [source], lambda x: x)
    return reshaped(gathered, [positions, taps * channels]), size


def framed(image: ir.Value, before: Sequence[int], sizes: Sequence[int], around: Filler) -> ir.Value:
    """Images (B, H, W, C), or one (H, W, C), with a number before and behind, or cut off, so that they have
    these sizes.

    Loops over windows take all of what they read, not some of it.
    """
    after, own = [], [0] * (len(shape_of(image)) - 3)
    for axis in range(2):
        place = len(own) + axis
        missing = sizes[axis] - before[axis] - shape_of(image)[place]
        image = part(image, place, 0, shape_of(image)[place] + min(0, missing))
        after.append(max(0, missing))
    return padded(image, [*own, *before, 0], [*own, *after, 0], around)


def images_of(value: ir.Value) -> ir.Value:
    """Images (B, H, W, C); one alone as (H, W, C)."""
    shape = shape_of(value)
    return reshaped(value, shape[1:]) if shape[0] == 1 else value


def window_count(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int, int]:
    """(H', W'): how many windows there are along each axis of an image."""
    height, width = (convolved(*axis) for axis in zip(sizes, kernel, stride, padding, strict=True))
    return height, width
