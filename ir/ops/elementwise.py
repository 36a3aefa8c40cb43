"""16-bit values between products: `dgqc::add`, `dgqc::mul`, `dgqc::rescale`, `dgqc::gather`, resampling."""

from __future__ import annotations

import torch

from ..arithmetic.fixed_point import round_shift, saturate16
from ..verify.argument_rules import (
    NONNEGATIVE,
    SHIFTS,
    factor_and_shift,
    per_call,
    per_channel,
    permutation,
    unless_none,
    value_type,
)
from ..verify.checks import anything, both
from .blocks import along_rows
from .fake import fake
from .integer import IntegerOp, Moved, any_value, register_integer
from .wide import NARROW_BITS, narrow_or_wide, of_width, one_of_both_widths, saturated, type_of


def factor_at(factor: torch.Tensor, column: torch.Tensor | None, step: torch.Tensor) -> torch.Tensor:
    """A factor at this call, int64; one for each column where these differ: round_shift(column * factor, 31).

    factor: int32 (T,). column: int32 (C,), at least 0, or None. Returns () or (C,), no larger than factor.
    """
    now = factor[step].to(torch.int64)
    return now if column is None else round_shift(column.to(torch.int64) * now, 31)


@torch.library.custom_op("dgqc::add", mutates_args=())
def add(
    a: torch.Tensor,
    b: torch.Tensor,
    step: torch.Tensor,
    a_factor: torch.Tensor,
    b_factor: torch.Tensor,
    shift: torch.Tensor,
    a_column: torch.Tensor | None = None,
    b_column: torch.Tensor | None = None,
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """y = saturated((a * a_factor + b * b_factor + half) >> shift): a sum of differently scaled values.

    a, b: int16 or wide, broadcast against each other. Factors and shift: int32 (T,), factors below 2^30.
    Returns int16, or wide values where width is 20.
    a_column, b_column: int32 (C,), where scales differ along the last axis, see `factor_at`; both or neither.
    """
    left, right = factor_at(a_factor, a_column, step), factor_at(b_factor, b_column, step)

    def total(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        exact = a.to(torch.int64) * left + b.to(torch.int64) * right
        return saturated(round_shift(exact, shift[step].to(torch.int64)), width)

    return along_rows(total, a, b)


@fake(add)
def _(a: torch.Tensor, b: torch.Tensor, width: int) -> torch.Tensor:
    shape: torch.Size = torch.broadcast_shapes(a.shape, b.shape)  # type: ignore[no-untyped-call]
    return a.new_empty(shape, dtype=type_of(width))


register_integer(
    IntegerOp(
        torch.ops.dgqc.add.default,
        rule=both(
            narrow_or_wide("a"),
            narrow_or_wide("b"),
            one_of_both_widths,
            per_call("a_factor", (-(2**30), 2**30)),
            per_call("b_factor", (-(2**30), 2**30)),
            per_call("shift", SHIFTS),
            unless_none("a_column", per_channel("a_column", NONNEGATIVE)),
            unless_none("b_column", per_channel("b_column", NONNEGATIVE)),
        ),
        values=of_width,
        elementwise=2,
        columns=("a_column", "b_column"),
    )
)


@torch.library.custom_op("dgqc::mul", mutates_args=())
def mul(
    a: torch.Tensor, b: torch.Tensor, step: torch.Tensor, factor: torch.Tensor, shift: torch.Tensor
) -> torch.Tensor:
    """y = saturate16((a * b * factor + half) >> shift), elementwise. a, b: int16, broadcast."""

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        exact = a.to(torch.int64) * b.to(torch.int64) * factor[step].to(torch.int64)
        return saturate16(round_shift(exact, shift[step].to(torch.int64)))

    return along_rows(product, a, b)


@fake(mul)
def _(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    shape: torch.Size = torch.broadcast_shapes(a.shape, b.shape)  # type: ignore[no-untyped-call]
    return a.new_empty(shape)


register_integer(
    IntegerOp(
        torch.ops.dgqc.mul.default,
        rule=both(value_type("a", torch.int16), value_type("b", torch.int16), factor_and_shift()),
        values=any_value,
        elementwise=2,
    )
)


@torch.library.custom_op("dgqc::rescale", mutates_args=())
def rescale(
    x: torch.Tensor,
    step: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """y = saturated((x * factor + half) >> shift): the same real values in another scale.

    x: int16 or wide. Returns int16, or wide values where width is 20.
    """

    def rescaled(x: torch.Tensor) -> torch.Tensor:
        product = x.to(torch.int64) * factor[step].to(torch.int64)
        return saturated(round_shift(product, shift[step].to(torch.int64)), width)

    return along_rows(rescaled, x)


@fake(rescale)
def _(x: torch.Tensor, width: int) -> torch.Tensor:
    return x.new_empty(x.shape, dtype=type_of(width))


register_integer(
    IntegerOp(
        torch.ops.dgqc.rescale.default,
        rule=both(narrow_or_wide("x"), one_of_both_widths, factor_and_shift()),
        values=of_width,
        elementwise=1,
    )
)


@torch.library.custom_op("dgqc::upsample_nearest", mutates_args=())
def upsample_nearest(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """y[i, j] = x[i * H // height, j * W // width], all channels. x: (1, H, W, C), any integer dtype.

    Returns (1, height, width, C).
    """
    rows = torch.arange(height) * x.shape[1] // height
    columns = torch.arange(width) * x.shape[2] // width
    return x[:, rows][:, :, columns]


@fake(upsample_nearest)
def _(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return x.new_empty((x.shape[0], height, width, x.shape[3]))


register_integer(IntegerOp(torch.ops.dgqc.upsample_nearest.default, rule=anything, values=Moved("x")))


@torch.library.custom_op("dgqc::avg_pool2d", mutates_args=())
def avg_pool2d(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Mean of kernel x kernel windows without padding, rounded to nearest, ties up, each channel by itself.

    x: int16 (1, H, W, C). Returns int16 (1, H', W', C), H' = (H - kernel) // stride + 1.
    """
    windows = x.to(torch.int64).unfold(1, kernel, stride).unfold(2, kernel, stride)
    count = kernel * kernel
    total = windows.sum(dim=(-2, -1))
    return torch.div(2 * total + count, 2 * count, rounding_mode="floor").to(torch.int16)


@fake(avg_pool2d)
def _(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    height, width = ((size - kernel) // stride + 1 for size in x.shape[1:3])
    return x.new_empty((x.shape[0], height, width, x.shape[3]))


register_integer(
    IntegerOp(torch.ops.dgqc.avg_pool2d.default, rule=value_type("x", torch.int16), values=any_value)
)


@torch.library.custom_op("dgqc::gather", mutates_args=())
def gather(x: torch.Tensor, order: torch.Tensor, axis: int) -> torch.Tensor:
    """y[..., j, ...] = x[..., order[j], ...] along `axis`: puts the channels of a group side by side.

    x: any integer dtype. order: int32 (n,), a permutation of 0 .. n-1.
    """
    return x.index_select(axis, order.to(torch.int64))


@fake(gather)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


register_integer(IntegerOp(torch.ops.dgqc.gather.default, rule=permutation, values=Moved("x")))
