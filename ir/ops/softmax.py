"""`dgqc::softmax`: of 16-bit values to 16-bit values, where it isn't attention's."""

from __future__ import annotations

import torch

from ..arithmetic.fixed_point import round_shift, saturate16
from ..arithmetic.lookup import exp2_negative
from ..verify.argument_rules import factor_and_shift, per_call, value_type
from ..verify.checks import both
from .fake import fake
from .integer import IntegerOp, any_value, register_integer


@torch.library.custom_op("dgqc::softmax", mutates_args=())
def softmax(
    x: torch.Tensor,
    step: torch.Tensor,
    octave_factor: torch.Tensor,
    octave_shift: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
) -> torch.Tensor:
    """Shares of each row of the last axis: 2^-z / sum 2^-z, z = (max x - x) * octave_factor >> octave_shift.

    z is in Q16 and at most 2^22, since 2^-64 is nothing; a share is (2^-z << 30) div sum, in Q30, and
    y = saturate16((share * factor + half) >> shift).
    x: int16 (..., C), C up to 2^20. octave_factor: below 2^31. All tables: int32 (T,). Returns int16.
    (max - x) * octave_factor stays below 2^47, 2^-z << 30 at most 2^60, share * factor below 2^61.
    """
    wide = x.to(torch.int64)
    below = (wide.amax(dim=-1, keepdim=True) - wide) * octave_factor[step].to(torch.int64)
    z = round_shift(below, octave_shift[step].to(torch.int64)).clamp(max=FARTHEST)
    power = exp2_negative(z)
    share = torch.div(power << 30, power.sum(dim=-1, keepdim=True), rounding_mode="floor")
    return saturate16(round_shift(share * factor[step].to(torch.int64), shift[step].to(torch.int64)))


FARTHEST = 2**22


@fake(softmax)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


register_integer(
    IntegerOp(
        torch.ops.dgqc.softmax.default,
        rule=both(
            value_type("x", torch.int16),
            per_call("octave_factor", (0, 2**31 - 1)),
            per_call("octave_shift", (1, 62)),
            factor_and_shift(),
        ),
        values=any_value,
    )
)
