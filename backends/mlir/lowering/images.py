"""Windows of images, channel by channel: `dgqc::max_pool2d`, `dgqc::depthwise_conv2d`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_mlir import ir

from ..arithmetic.fixed_point import saturate
from ..arithmetic.number import Number
from ..arithmetic.tensors import Filler, Map, Reads, each, filled, reduced, reshaped, shape_of
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .requantize import column_addend, column_multiplier
from .stages import Family
from .windows import framed, images_of

dgqc = torch.ops.dgqc


@lowers(dgqc.max_pool2d.default, Family.MOVES)
def max_pool2d(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """Maximum of windows; the smallest number pads."""
    kernel, (*_, height, width, channels) = call["kernel"], call.result_shape
    image, places = _windows(b, call, kernel, (1, 1), around=-32768)
    taps = (filled(kernel, 16, 0), (3, 4))
    images = list(shape_of(image)[:-3])
    loops, own = [height, width, channels, *kernel, *images], range(5, 5 + len(images))

    def larger(value: Number, tap: Number, so_far: Number) -> Number:
        return so_far.at_least(value)

    operands = [(image, [*own, *places, 2]), taps]
    found = reduced(loops, (*own, 0, 1, 2), (-32768, 16), operands, larger)
    return reshaped(found, call.result_shape)


@lowers(dgqc.depthwise_conv2d.default, Family.PRODUCTS)
def depthwise_conv2d(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """Sums over a window's taps in 64 bits, then the columns' requantization."""
    taps = call["taps"]
    (*kernel, columns), channels = taps.shape, shape_of(b.value(call, "x"))[-1]
    height, width = call.result_shape[1:3]
    image, places = _windows(b, call, kernel, call["dilation"], around=0)
    by_channel = b.constant(taps.reshape(*kernel, channels, columns // channels))
    # Loops: output rows, output columns, channels, taps down, taps across, outputs of a channel, images.
    images = list(shape_of(image)[:-3])
    loops, own = [height, width, channels, *kernel, columns // channels, *images], range(6, 6 + len(images))
    operands = [(image, [*own, *places, 2]), (by_channel, (3, 4, 2, 5))]
    positions = math.prod(images) * height * width

    def product(x: Number, w: Number, so_far: Number) -> Number:
        return so_far + (x.to(32) * w.to(32)).to(64)

    folded = reduced(loops, (*own, 0, 1, 2, 5), (0, 64), operands, product)
    sums = reshaped(folded, [positions, columns])
    reads = Reads()
    total = reads.of(sums, (0, 1))
    multiplier, addend = reads.of(column_multiplier(b, call), (1,)), reads.of(column_addend(b, call), (1,))

    def requantized(*n: Number) -> Number:
        shift = b.at_step(call["shift"]).to(64)
        return saturate((total(n) * multiplier(n).to(64) + addend(n)) >> shift, 16)

    found = each([positions, columns], 16, reads.operands, requantized)
    return reshaped(found, call.result_shape)


def _windows(
    b: ModuleBuilder, call: OpCall, kernel: Sequence[int], dilation: Sequence[int], around: Filler
) -> tuple[ir.Value, Map]:
    """Images (B, H, W, C), or one (H, W, C), with what pads them, and where an output position's tap lies:
    loops 0 and 1 are output positions, 3 and 4 taps."""
    x, stride = b.value(call, "x"), call["stride"]
    sizes = zip(call.result_shape[1:3], stride, kernel, dilation, strict=True)
    extent = [(out - 1) * step + (taps - 1) * spacing + 1 for out, step, taps, spacing in sizes]
    image = framed(images_of(x), call["padding"], extent, around)
    places = [f"d{axis} * {stride[axis]} + d{axis + 3} * {dilation[axis]}" for axis in range(2)]
    return image, places
