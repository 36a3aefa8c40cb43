"""`dgqc::activation`: x * g(x), g in pieces from a table: SiLU (sigmoid), GELU (the normal distribution)."""

from __future__ import annotations

import torch
from torch import fx

from ..arithmetic.fixed_point import round_shift, saturate16
from ..arithmetic.lookup import ACTIVATION_PIECES, QUARTER_OCTAVES
from ..nodes import argument
from ..verify.argument_rules import (
    NONNEGATIVE,
    factor_and_shift,
    per_call,
    per_channel,
    unless_none,
    value_type,
)
from ..verify.checks import Problems, VerificationScope, both
from .blocks import along_rows
from .elementwise import factor_at
from .fake import fake
from .integer import IntegerOp, any_value, register_integer
from .wide import narrow_or_wide

EXPONENTS = (0, 1000)


def _factor_of_wide(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of wide values |x * g| is 2^4 times as large."""
    if scope.values[argument(node, "x")].dtype == torch.int32:
        yield from per_call("factor", (0, 2**26 - 1))(node, scope)


def _narrow_factor(node: fx.Node, scope: VerificationScope) -> Problems:
    """Times up to 2^(3/4), a factor still fits 16 bits."""
    yield from per_call("index_factor", (0, 2**15 - 1))(node, scope)


@torch.library.custom_op("dgqc::activation", mutates_args=())
def activation(
    x: torch.Tensor,
    step: torch.Tensor,
    table: torch.Tensor,
    index_factor: torch.Tensor,
    index_shift: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    exponent: torch.Tensor | None = None,
    column: torch.Tensor | None = None,
) -> torch.Tensor:
    """y = saturate16((x * g(x) * factor + half) >> shift), g in Q16.

    table: int32 (3, 64), of 64 pieces of g(-|x|) (`ir.arithmetic.lookup.activation_table`), and
    g(x) = 1 - g(-x) for x > 0.
    |x| * index_factor >> index_shift is the place in the table in Q13; index_factor is below 2^16. All
    factors, shifts: int32 (T,). x: int16 or wide, any shape. Returns int16.
    exponent: int32 (C,), 0 or more, where scales differ along the last axis: a step is 2^(exponent / 4) times
    as large there. index_factor, below 2^15 then, is that of exponent 0. column: int32 (C,), where the
    result's steps differ otherwise, see `factor_at`.
    Of 16-bit values everything up to |x * g| <= 2^31 fits int32; the last product stays below 2^62, that of
    wide ones by a factor below 2^26, proved.
    """
    by, shift_of_place = index_factor[step].to(torch.int64), index_shift[step].to(torch.int64)
    if exponent is not None:
        octaves = exponent.to(torch.int64)
        by = round_shift(by * QUARTER_OCTAVES[octaves & 3], 30)
        # A step so coarse that nothing is left to shift lies beyond the table, but for a few steps' places.
        shift_of_place = (shift_of_place - (octaves >> 2)).clamp(min=0)
    values, slopes, curves = table.to(torch.int64)

    def of_rows(x: torch.Tensor) -> torch.Tensor:
        wide = x.to(torch.int64)
        place = ((wide.abs() * by) >> shift_of_place).clamp(max=(ACTIVATION_PIECES << 13) - 1)
        piece, t = place >> 13, (place & 8191) - 4096
        slope = slopes[piece] - round_shift(curves[piece] * t, 15)
        below = values[piece] - round_shift(slope * t, 15)
        product = torch.where(wide < 0, wide * below, wide * (65536 - below))
        return saturate16(round_shift(product * factor_at(factor, column, step), shift[step].to(torch.int64)))

    return along_rows(of_rows, x)


@fake(activation)
def _(x: torch.Tensor) -> torch.Tensor:
    return x.new_empty(x.shape, dtype=torch.int16)


register_integer(
    IntegerOp(
        torch.ops.dgqc.activation.default,
        rule=both(
            narrow_or_wide("x"),
            value_type("table", torch.int32),
            per_call("index_factor", (0, 2**16 - 1)),
            per_call("index_shift", (0, 62)),
            factor_and_shift(),
            _factor_of_wide,
            unless_none("exponent", both(per_channel("exponent", EXPONENTS), _narrow_factor)),
            unless_none("column", per_channel("column", NONNEGATIVE)),
        ),
        values=any_value,
        elementwise=1,
        columns=("exponent", "column"),
    )
)
