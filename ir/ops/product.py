"""Products: `dgqc::linear`, `dgqc::matmul`; `ir.ops.convolution` has those of images.

All are one formula. A code's group gives it a zero and an integer multiple of the operand's base scale:

    accumulator[m, n] = sum_k  multiple * (code[m, k] - zero)  *  weight[n, k]

so that partial sums of different groups add up exactly, whatever the order of channels, and whether groups
lie along k (channels) or along m (pixels). A 16-bit operand has one group with zero 0 and multiple 1.

The summed axis is the last one everywhere: rows (..., K), weights (N, K), images (1, H, W, C), kernels
(N, kh, kw, C).
"""

from __future__ import annotations

import torch

from ..arithmetic.fixed_point import round_shift, saturate16, saturate32
from ..verify.argument_rules import (
    NONNEGATIVE,
    SHIFTS,
    factor_and_shift,
    grouped,
    per_call,
    per_channel,
    value_type,
)
from ..verify.checks import both
from ..verify.overflow_proofs import linear_bound, matmul_bound
from .blocks import PRODUCT, along_rows, by_rows
from .fake import fake
from .integer import IntegerOp, OperandArguments, ProductArguments, any_value, register_integer
from .quantize import of_groups
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
    return along_rows(centered_codes, codes, *of_groups(codes, step, group, axis, zero, multiple))


def centered_codes(codes: torch.Tensor, zero: torch.Tensor, multiple: torch.Tensor) -> torch.Tensor:
    """The same of codes beside their own zeros and multiples, int64, that broadcast."""
    return ((codes.to(torch.int64) - zero) * multiple).to(torch.float64)


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
    columns = weight.to(torch.float64).T

    def product(codes: torch.Tensor, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        accumulator = (centered_codes(codes, z, c) @ columns).to(torch.int64)
        return requantize_columns(
            accumulator, step, column, factor, shift, bias, bias_factor, bias_shift, width
        )

    tables = of_groups(x, step, group, axis, zero, multiple)
    return along_rows(product, x, *tables, width=len(weight), least=PRODUCT)


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

    def product(rows: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor]:
        accumulator = (rows @ other).to(torch.int64)
        y = round_shift(accumulator * factor[step].to(torch.int64), shift[step].to(torch.int64))
        return (saturate16(y) if width == 16 else saturate32(y),)

    return by_rows(product, max(right.shape[-2:]), left, whole=(right,))[0]


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
