"""Normalization: `dgqc::group_norm`, `dgqc::layer_norm`, exact moments and one reciprocal root per set."""

from __future__ import annotations

import torch

from ..arithmetic.fixed_point import round_shift, shift_either_way
from ..arithmetic.lookup import reciprocal_root
from ..parallel import in_blocks
from ..verify.argument_rules import (
    NONNEGATIVE,
    SHIFTS,
    per_call,
    per_call_or_set,
    per_channel,
    value_type,
)
from ..verify.checks import both
from ..verify.overflow_proofs import norm_bound
from .blocks import BLOCK, along_rows
from .fake import fake
from .integer import IntegerOp, any_value, register_integer
from .wide import NARROW_BITS, narrow_or_wide, of_width, one_of_both_widths, saturated, sixteenths, type_of


def centered_rows(rows: torch.Tensor) -> torch.Tensor:
    """x - mean of each row, the mean rounded. rows: int64 (R, N), in 16ths of a step. Returns the same."""
    count = rows.shape[-1]
    mean = torch.div(2 * rows.sum(dim=-1, keepdim=True) + count, 2 * count, rounding_mode="floor")
    return rows - mean


def affine(
    centered: torch.Tensor,
    energy: torch.Tensor,
    gain: torch.Tensor,
    gain_shift: torch.Tensor,
    offset: torch.Tensor,
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """y = saturated(centered / sqrt(energy) * gain + offset), the offset in 1/256 of a 16-bit step.

    centered: int64. energy: int64 > 0, the sum of its squares and epsilon. gain: int64 below 2^31, times
    2^-gain_shift. offset: int64. All broadcast. |centered * a| < 2^52, since |centered| < 2^21, a < 2^31.
    """
    root, half = reciprocal_root(energy)
    a = (root * gain) >> 31
    scaled = shift_either_way(centered * a, gain_shift + half + 6)
    left = 8 + NARROW_BITS - width
    return saturated((scaled + offset + (1 << (left - 1))) >> left, width)


def gains(
    gamma: torch.Tensor,
    gamma_factor: torch.Tensor,
    beta: torch.Tensor,
    beta_factor: torch.Tensor,
    beta_shift: torch.Tensor,
    step: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gain (below 2^31) and offset (1/256 steps) of each channel at this call, int64 (C,) each."""
    gain = round_shift(gamma.to(torch.int64) * gamma_factor[step].to(torch.int64), 31)
    product = beta.to(torch.int64) * beta_factor[step].to(torch.int64)
    return gain, round_shift(product, beta_shift[step].to(torch.int64))


AFFINE = both(
    per_channel("gamma"),
    per_call("gamma_factor", NONNEGATIVE),
    # The reciprocal root adds up to 22 to this shift, and the sum must stay within 62.
    per_call("gamma_shift", (0, 40)),
    per_channel("beta"),
    per_call("beta_factor"),
    per_call("beta_shift", SHIFTS),
    norm_bound,
)
"""What the verifier demands of a norm's constants, but for epsilon."""
EPSILON = (1, 2**60)


@torch.library.custom_op("dgqc::group_norm", mutates_args=())
def group_norm(
    x: torch.Tensor,
    step: torch.Tensor,
    groups: int,
    gamma: torch.Tensor,
    gamma_factor: torch.Tensor,
    gamma_shift: torch.Tensor,
    beta: torch.Tensor,
    beta_factor: torch.Tensor,
    beta_shift: torch.Tensor,
    epsilon: torch.Tensor,
    width: int = NARROW_BITS,
) -> torch.Tensor:
    """x: int16 (B, ..., C), or wide. gamma, beta: int32 (C,). *_factor, *_shift: int32 (T,).
    epsilon: int64 (T,), >= 1, in squared 1/16 steps of 16-bit values times the elements of a group;
    (T, groups) where groups have scales of their own, which a norm takes away. Returns int16 of x's shape, or
    wide values where width is 20.

    A group is C / groups neighbouring channels at all positions of one of B images. It has at most 2^22
    elements: the sum of (16 x - 16 mean)^2 < 2^42 each stays below 2^62 with real data's bound
    max|x|^2 * 2^8 * N, proved at compile time from N.
    gamma absorbs sqrt(N): centered / sqrt(energy) * sqrt(N) is the normalized value.
    """
    size = x.shape[-1] // groups
    gain, offset = gains(gamma, gamma_factor, beta, beta_factor, beta_shift, step)
    of_set = epsilon[step].expand(groups)

    def normalized(first: int, last: int) -> torch.Tensor:
        channels = slice(first * size, last * size)
        by_group = (-1, last - first, size)  # positions, groups, channels of a group
        rows = sixteenths(x[..., channels]).reshape(len(x), *by_group).transpose(1, 2).flatten(2)
        centered = centered_rows(rows)
        energy = (centered * centered).sum(dim=-1) + of_set[first:last]
        y = affine(
            centered.reshape(len(x), last - first, -1, size).transpose(1, 2),
            energy[:, None, :, None],
            gain[channels].reshape(by_group),
            gamma_shift[step].to(torch.int64),
            offset[channels].reshape(by_group),
            width,
        )
        return y.reshape(*x.shape[:-1], -1)

    if x.numel() <= BLOCK:
        return normalized(0, groups)
    return torch.cat(in_blocks(normalized, [(group, group + 1) for group in range(groups)]), dim=-1)


@fake(group_norm)
def _(x: torch.Tensor, width: int) -> torch.Tensor:
    return x.new_empty(x.shape, dtype=type_of(width))


register_integer(
    IntegerOp(
        torch.ops.dgqc.group_norm.default,
        rule=both(
            narrow_or_wide("x"),
            AFFINE,
            per_call_or_set("epsilon", "groups", EPSILON, torch.int64),
            one_of_both_widths,
        ),
        values=of_width,
    )
)


@torch.library.custom_op("dgqc::layer_norm", mutates_args=())
def layer_norm(
    x: torch.Tensor,
    step: torch.Tensor,
    gamma: torch.Tensor,
    gamma_factor: torch.Tensor,
    gamma_shift: torch.Tensor,
    beta: torch.Tensor,
    beta_factor: torch.Tensor,
    beta_shift: torch.Tensor,
    epsilon: torch.Tensor,
) -> torch.Tensor:
    """Each row of the last axis normalized; arguments as in `dgqc::group_norm`. x: int16 (..., C)."""
    gain, offset = gains(gamma, gamma_factor, beta, beta_factor, beta_shift, step)

    def normalized(x: torch.Tensor) -> torch.Tensor:
        centered = centered_rows(sixteenths(x))
        energy = (centered * centered).sum(dim=-1, keepdim=True) + epsilon[step]
        return affine(centered, energy, gain, gamma_shift[step].to(torch.int64), offset)

    return along_rows(normalized, x)


@fake(layer_norm)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


register_integer(
    IntegerOp(
        torch.ops.dgqc.layer_norm.default,
        rule=both(value_type("x", torch.int16), AFFINE, per_call("epsilon", EPSILON, dtype=torch.int64)),
        values=any_value,
    )
)
