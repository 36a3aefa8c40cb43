"""Convolutions: `dgqc::conv2d`, `dgqc::conv2d_pixel`, products as `ir.ops.product` has them.

Images are (1, H, W, C), kernels (N, kh, kw, C): channels last on both sides.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import conv2d as float_conv2d
from torch.nn.functional import pad

from ..parallel import in_blocks
from ..verify.argument_rules import CODE_BITS, group_vector, grouped, per_group, plain_number, value_type
from ..verify.checks import both
from ..verify.overflow_proofs import convolution_bound, pixel_convolution_bound
from .fake import fake
from .integer import IntegerOp, OperandArguments, ProductArguments, any_value, register_integer
from .product import EPILOGUE, PER_COLUMN, centered_codes, requantize_columns
from .quantize import of_groups
from .wide import NARROW_BITS, of_width, one_of_both_widths, type_of

LINES = 2**19
"""Elements of a band of patches of an image, but for one that is a single line."""


def convolved(size: int, kernel: int, stride: int, padding: int) -> int:
    """Output size of a convolution along one axis."""
    return (size + 2 * padding - kernel) // stride + 1


def output_shape(
    x: torch.Tensor, weight: torch.Tensor, stride: list[int], padding: list[int]
) -> tuple[int, int, int, int]:
    """(1, H', W', N) of a convolution of (1, H, W, C) with (N, kh, kw, C)."""
    sizes = zip(x.shape[1:3], weight.shape[1:3], stride, padding, strict=True)
    height, width = (convolved(*size) for size in sizes)
    return x.shape[0], height, width, weight.shape[0]


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """An image (1, H, W, C), or a kernel (N, kh, kw, C), as PyTorch's own functions take it."""
    return x.permute(0, 3, 1, 2)


@torch.library.custom_op("dgqc::conv2d", mutates_args=())
def conv2d(
    x: torch.Tensor,
    step: torch.Tensor,
    zero: torch.Tensor,
    multiple: torch.Tensor,
    group: torch.Tensor,
    weight: torch.Tensor,
    column: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    bias: torch.Tensor,
    bias_factor: torch.Tensor,
    bias_shift: torch.Tensor,
    stride: list[int],
    padding: list[int],
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """Convolution with groups of input channels, shared by all taps (ours; DGQ groups im2col rows).

    x: uint8 or int16 (1, H, W, C). weight: int8 (N, kh, kw, C). Returns int16 (1, H', W', N),
    or int32 where width is 20.
    Padding is the real value 0: outside the image, multiple * (code - zero) counts as 0.
    """
    kernel = channels_first(weight.to(torch.float64))
    z, c = of_groups(x, step, group, 3, zero, multiple)

    def product(part: torch.Tensor, above: int, below: int, places: slice) -> torch.Tensor:
        operand = channels_first(centered_codes(part, z, c))
        padded = pad(operand, (padding[1], padding[1], above, below))
        accumulator = float_conv2d(padded, kernel, None, stride).to(torch.int64)
        rows = accumulator.permute(0, 2, 3, 1).contiguous()
        return requantize_columns(rows, step, column, factor, shift, bias, bias_factor, bias_shift, width)

    return by_lines(product, x, weight, stride, padding)


def by_lines(
    function: Callable[[torch.Tensor, int, int, slice], torch.Tensor],
    x: torch.Tensor,
    weight: torch.Tensor,
    stride: list[int],
    padding: list[int],
) -> torch.Tensor:
    """A convolution band by band.

    function: given the lines of x that a band of the result is made of, how many of padding lie above and
    below them, and which of the result's positions it has, returns the band.
    """
    _, height, width, _ = output_shape(x, weight, stride, padding)
    patch = max(weight.shape[0], weight[0].numel())
    count = max(1, LINES // (width * patch))

    def band(first: int) -> torch.Tensor:
        top = first * stride[0] - padding[0]
        last = min(first + count, height)
        bottom = (last - 1) * stride[0] - padding[0] + weight.shape[1]
        above, below = max(-top, 0), max(bottom - x.shape[1], 0)
        return function(x[:, top + above : bottom - below], above, below, slice(first * width, last * width))

    if count >= height:
        return band(0)
    return torch.cat(in_blocks(band, [(first,) for first in range(0, height, count)]), dim=1)


@fake(conv2d)
def _(
    x: torch.Tensor, weight: torch.Tensor, stride: list[int], padding: list[int], width: int
) -> torch.Tensor:
    return x.new_empty(output_shape(x, weight, stride, padding), dtype=type_of(width))


register_integer(
    IntegerOp(
        torch.ops.dgqc.conv2d.default,
        rule=both(
            grouped("x", -1),
            value_type("weight", torch.int8),
            EPILOGUE,
            convolution_bound,
            one_of_both_widths,
        ),
        values=of_width,
        product=ProductArguments((OperandArguments("x", axis=-1),), "weight", PER_COLUMN),
    )
)


@torch.library.custom_op("dgqc::conv2d_pixel", mutates_args=())
def conv2d_pixel(
    x: torch.Tensor,
    step: torch.Tensor,
    quantize_multiplier: torch.Tensor,
    quantize_offset: torch.Tensor,
    quantize_shift: torch.Tensor,
    zero: torch.Tensor,
    multiple: torch.Tensor,
    group: torch.Tensor,
    bits: int,
    weight: torch.Tensor,
    column: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    bias: torch.Tensor,
    bias_factor: torch.Tensor,
    bias_shift: torch.Tensor,
    stride: list[int],
    padding: list[int],
) -> torch.Tensor:
    """Convolution with groups of output positions: a position's whole patch is quantized with its group.

    x: int16 (1, H, W, C), zeros around it. quantize_*: as in `dgqc::quantize`. group: uint8 (H' * W',).
    weight: int8 (N, kh, kw, C). Returns int16 (1, H', W', N). Source: DGQ section 3.3, pixel-wise outliers.
    """
    kernel = weight.to(torch.float64).flatten(1).T
    height, width = weight.shape[1:3]
    index = group.to(torch.int64)[:, None]
    tables = (quantize_multiplier, quantize_offset, quantize_shift, zero, multiple)
    of_position = [table[step].to(torch.int64)[index] for table in tables]

    def product(part: torch.Tensor, above: int, below: int, places: slice) -> torch.Tensor:
        padded = pad(part, (0, 0, padding[1], padding[1], above, below))
        patches = padded.unfold(1, height, stride[0]).unfold(2, width, stride[1]).movedim(3, -1)
        m, r, s, z, c = (numbers[places] for numbers in of_position)
        rows = patches.reshape(len(x), len(m), -1).to(torch.int64)
        codes = ((rows * m + r) >> s).clamp(0, 2**bits - 1)
        accumulator = (centered_codes(codes, z, c) @ kernel).to(torch.int64)
        y = requantize_columns(accumulator, step, column, factor, shift, bias, bias_factor, bias_shift)
        return y.reshape(*patches.shape[:3], -1)

    return by_lines(product, x, weight, stride, padding)


@fake(conv2d_pixel)
def _(x: torch.Tensor, weight: torch.Tensor, stride: list[int], padding: list[int]) -> torch.Tensor:
    return x.new_empty(output_shape(x, weight, stride, padding), dtype=torch.int16)


register_integer(
    IntegerOp(
        torch.ops.dgqc.conv2d_pixel.default,
        rule=both(
            value_type("x", torch.int16),
            per_group("quantize_multiplier", (0, 2**15 - 1)),
            per_group("quantize_offset"),
            per_group("quantize_shift", (1, 30)),
            per_group("zero"),
            per_group("multiple", (1, 2**31 - 1)),
            group_vector("group", "zero", None, "positions"),
            plain_number("bits", CODE_BITS),
            value_type("weight", torch.int8),
            EPILOGUE,
            pixel_convolution_bound,
        ),
        values=any_value,
        product=ProductArguments((OperandArguments("x", axis=None),), "weight", PER_COLUMN, quantizes=True),
    )
)
