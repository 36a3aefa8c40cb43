"""`dgqc::rms_norm`: rows over the roots of their mean squares."""

from __future__ import annotations

import torch

from ..arithmetic.fixed_point import round_shift, saturate16, shift_either_way
from ..arithmetic.lookup import reciprocal_root
from ..verify.argument_rules import NONNEGATIVE, per_call, per_channel, value_type
from ..verify.checks import both
from ..verify.overflow_proofs import norm_bound
from .captured import CapturedOp, always, register_captured
from .fake import fake
from .integer import IntegerOp, any_value, register_integer


@torch.library.custom_op("dgqc::rms_norm", mutates_args=())
def rms_norm(
    x: torch.Tensor,
    step: torch.Tensor,
    gamma: torch.Tensor,
    gamma_factor: torch.Tensor,
    gamma_shift: torch.Tensor,
    epsilon: torch.Tensor,
) -> torch.Tensor:
    """y = saturate16(x / sqrt(256 sum x^2 + epsilon) * gain): each row of the last axis by itself.

    x: int16 (..., C), C below 2^22. gamma: int32 (C,). gamma_factor, gamma_shift: int32 (T,).
    epsilon: int64 (T,), 1 .. 2^60. Returns int16 of x's shape. gamma absorbs sqrt(C).
    The sum stays below 2^62, |x * slope| below 2^47.
    """
    wide = x.to(torch.int64)
    energy = 256 * (wide * wide).sum(dim=-1, keepdim=True) + epsilon[step]
    root, half = reciprocal_root(energy)
    gain = round_shift(gamma.to(torch.int64) * gamma_factor[step].to(torch.int64), 31)
    slope = (root * gain) >> 31
    return saturate16(shift_either_way(wide * slope, half + gamma_shift[step].to(torch.int64) + 10))


@fake(rms_norm)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


register_integer(
    IntegerOp(
        torch.ops.dgqc.rms_norm.default,
        rule=both(
            value_type("x", torch.int16),
            per_channel("gamma"),
            per_call("gamma_factor", NONNEGATIVE),
            # The reciprocal root adds up to 26 to this shift, and the sum must stay within 66.
            per_call("gamma_shift", (0, 40)),
            per_call("epsilon", (1, 2**60), dtype=torch.int64),
            norm_bound,
        ),
        values=any_value,
    )
)
register_captured(CapturedOp(torch.ops.aten.rms_norm.default, new_scale=always))
