"""Products: `dgqc::linear`, `dgqc::conv2d`, `dgqc::conv2d_pixel`, `dgqc::matmul`.

All are one formula. A code's group gives it a zero and an integer multiple of the operand's base scale:

    accumulator[m, n] = sum_k  multiple * (code[m, k] - zero)  *  weight[n, k]

so that partial sums of different groups add up exactly, whatever the order of channels, and whether groups
lie along k (channels) or along m (pixels). A 16-bit operand has one group with zero 0 and multiple 1.

The summed axis is the last one everywhere: rows (..., K), weights (N, K), images (1, H, W, C), kernels
(N, kh, kw, C).
"""

from __future__ import annotations

import torch
from torch.nn.functional import conv2d as float_conv2d
from torch.nn.functional import unfold

from ..arithmetic.fixed_point import round_shift, saturate16, saturate32
from ..verify.argument_rules import (
    CODE_BITS,
    NONNEGATIVE,
    SHIFTS,
    factor_and_shift,
    group_vector,
    grouped,
    per_call,
    per_channel,
    per_group,
    plain_number,
    value_type,
)
from ..verify.checks import both
from ..verify.overflow_proofs import convolution_bound, linear_bound, matmul_bound, pixel_convolution_bound
from .blocks import by_rows
from .fake import fake
from .integer import IntegerOp, OperandArguments, ProductArguments, any_value, register_integer
from .quantize import along
from .wide import NARROW_BITS, of_width, one_of_both_widths, saturated, type_of


def centered(
    codes: torch.Tensor,
    step: torch.Tensor,
    zero: torch.Tensor,
    multiple: torch.Tensor,
    group: torch.Tensor,
    axis: int,
) -> torch.Tensor:
    """multiple * (code - zero), as integers in float64.

    codes: uint8 or int16. zero: int32 (T, G). multiple: int32 (T, G), >= 1. group: uint8 (n,).
    """
    index = group.to(torch.int64)
    z, c = (along(t[step].to(torch.int64)[index], codes.dim(), axis) for t in (zero, multiple))
    return ((codes.to(torch.int64) - z) * c).to(torch.float64)


def requantize_columns(
    accumulator: torch.Tensor,
    step: torch.Tensor,
    column: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    bias: torch.Tensor,
    bias_factor: torch.Tensor,
    bias_shift: torch.Tensor,
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """y = saturated((accumulator * m + b + half) >> shift) per output column n, the last axis.

    m[n] = round_shift(column[n] * factor, 31) and b[n] = round_shift(bias[n] * bias_factor, bias_shift) are
    derived when a call begins, from static columns and per-step scalars, so tables stay small.
    accumulator: int64 (..., N). column, bias: int32 (N,), column >= 0. factor, shift, bias_factor,
    bias_shift: int32 (T,). Returns int16, or wide values (`ir.ops.wide`) where width is 20.
    |accumulator * m + b| < 2^62, proved at compile time.
    """
    m = round_shift(column.to(torch.int64) * factor[step].to(torch.int64), 31)
    b = round_shift(
        bias.to(torch.int64) * bias_factor[step].to(torch.int64), bias_shift[step].to(torch.int64)
    )
    return saturated(round_shift(accumulator * m + b, shift[step].to(torch.int64)), width)


EPILOGUE = both(
    per_channel("column", NONNEGATIVE),
    per_channel("bias"),
    per_call("factor", NONNEGATIVE),
    per_call("shift", SHIFTS),
    per_call("bias_factor"),
    per_call("bias_shift", SHIFTS),
)
"""What the verifier demands of the constants of `requantize_columns`."""
PER_COLUMN = ("weight", "column", "bias")
"""A weight's and an epilogue's constants with an entry for each column."""


@torch.library.custom_op("dgqc::linear", mutates_args=())
def linear(
    x: torch.Tensor,
    step: torch.Tensor,
    zero: torch.Tensor,
    multiple: torch.Tensor,
    group: torch.Tensor,
    axis: int,
    weight: torch.Tensor,
    column: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    bias: torch.Tensor,
    bias_factor: torch.Tensor,
    bias_shift: torch.Tensor,
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """x: uint8 or int16 (..., M, K). weight: int8 (N, K). axis: that of K or of M. Returns int16
    (..., M, N), or int32 where width is 20.

    accumulator[m, n] = sum_k multiple * (x[m, k] - zero) * weight[n, k], then `requantize_columns`.
    """
    accumulator = centered(x, step, zero, multiple, group, axis) @ weight.to(torch.float64).T
    return requantize_columns(
        accumulator.to(torch.int64), step, column, factor, shift, bias, bias_factor, bias_shift, width
    )


@fake(linear)
def _(x: torch.Tensor, weight: torch.Tensor, width: int) -> torch.Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]), dtype=type_of(width))


register_integer(
    IntegerOp(
        torch.ops.dgqc.linear.default,
        rule=both(
            grouped("x", "axis"),
            value_type("weight", torch.int8),
            EPILOGUE,
            linear_bound,
            one_of_both_widths,
        ),
        values=of_width,
        product=ProductArguments((OperandArguments("x"),), "weight", PER_COLUMN),
    )
)


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
    operand = channels_first(centered(x, step, zero, multiple, group, 3))
    kernel = channels_first(weight.to(torch.float64))
    accumulator = float_conv2d(operand, kernel, None, stride, padding).to(torch.int64)
    rows = accumulator.permute(0, 2, 3, 1).contiguous()
    return requantize_columns(rows, step, column, factor, shift, bias, bias_factor, bias_shift, width)


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
    image, kernel = channels_first(x.to(torch.float64)), channels_first(weight.to(torch.float64))
    # Patches (1, positions, C * kh * kw). unfold moves values only: int16 is exact in float64.
    patches = unfold(image, kernel.shape[2:], padding=tuple(padding), stride=tuple(stride)).transpose(1, 2)
    index = group.to(torch.int64)[:, None]
    m, r, s = (t[step].to(torch.int64)[index] for t in (quantize_multiplier, quantize_offset, quantize_shift))
    codes = ((patches.to(torch.int64) * m + r) >> s).clamp(0, 2**bits - 1)
    accumulator = centered(codes, step, zero, multiple, group, 1) @ kernel.flatten(1).T
    y = requantize_columns(
        accumulator.to(torch.int64), step, column, factor, shift, bias, bias_factor, bias_shift
    )
    return y.reshape(output_shape(x, weight, stride, padding))


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


@torch.library.custom_op("dgqc::matmul", mutates_args=())
def matmul(
    a: torch.Tensor,
    b: torch.Tensor,
    step: torch.Tensor,
    a_zero: torch.Tensor,
    a_multiple: torch.Tensor,
    a_group: torch.Tensor,
    a_axis: int,
    b_zero: torch.Tensor,
    b_multiple: torch.Tensor,
    b_group: torch.Tensor,
    b_axis: int,
    factor: torch.Tensor,
    shift: torch.Tensor,
    width: int,
) -> torch.Tensor:
    """Product of two activations: attention logits, and any other.

    a: uint8 or int16 (..., M, K). b: uint8 or int16 (..., N, K). Returns (..., M, N), a times b transposed:
    the summed axis is last on both sides, as in `dgqc::linear`. Groups of either lie along K or along its
    rows. y = saturate((sum_k a' b' * factor + half) >> shift) to `width` bits, 16 or 32; logits are
    32 bits wide in units of 2^-16 octaves (see `dgqc::softmax_log2`), so they need no scale of their own.
    """
    left = centered(a, step, a_zero, a_multiple, a_group, a_axis)
    right = centered(b, step, b_zero, b_multiple, b_group, b_axis).transpose(-1, -2)

    def product(rows: torch.Tensor) -> tuple[torch.Tensor]:
        accumulator = (rows @ right).to(torch.int64)
        y = round_shift(accumulator * factor[step].to(torch.int64), shift[step].to(torch.int64))
        return (saturate16(y) if width == 16 else saturate32(y),)

    return by_rows(product, right.shape[-1], left)[0]


@fake(matmul)
def _(a: torch.Tensor, b: torch.Tensor, width: int) -> torch.Tensor:
    dtype = torch.int16 if width == 16 else torch.int32
    return a.new_empty((*a.shape[:-1], b.shape[-2]), dtype=dtype)


register_integer(
    IntegerOp(
        torch.ops.dgqc.matmul.default,
        rule=both(
            grouped("a", "a_axis", "a_"), grouped("b", "b_axis", "b_"), factor_and_shift(), matmul_bound
        ),
        values=any_value,
        product=ProductArguments(
            (OperandArguments("a", -1, "a_", "a_axis"), OperandArguments("b", -1, "b_", "b_axis"))
        ),
    )
)
