"""A norm over groups of channels, part by part: `dgqc::channel_sums` adds up parts of an image one after
another, `dgqc::normalize` normalizes any part of it. Together they give the bits of `dgqc::group_norm`."""

from __future__ import annotations

import torch
from torch import fx

from ..nodes import arguments
from ..verify.argument_rules import NONNEGATIVE, per_call_or_set, plain_number, value_type
from ..verify.checks import Problem, Problems, VerificationScope, both
from .fake import fake
from .integer import IntegerOp, any_value, register_integer
from .norm import AFFINE, EPSILON, affine, gains
from .wide import sixteenths

SUMS = 2
"""Of each channel: of its values, and of their squares."""


@torch.library.custom_op("dgqc::channel_sums", mutates_args=())
def channel_sums(before: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    """What the values of each channel and their squares add up to, and those of the parts before.

    before: int64 (2, C), of the parts before; None for the first. x: int16 (1, ..., C).
    Returns int64 (2, C), in 16ths of a step. Of at most 2^22 values the squares stay below 2^60.
    """
    rows = sixteenths(x).flatten(0, -2)
    sums = torch.stack([rows.sum(dim=0), (rows * rows).sum(dim=0)])
    return sums if before is None else before + sums


@fake(channel_sums)
def _(x: torch.Tensor) -> torch.Tensor:
    return x.new_empty((SUMS, x.shape[-1]), dtype=torch.int64)


def sums_of_the_same_channels(node: fx.Node, scope: VerificationScope) -> Problems:
    """`before` has as many channels as x, and is of this op alone: nobody else's numbers keep its bound."""
    a = arguments(node)
    before, channels = a["before"], scope.values[a["x"]].shape[-1]
    if before is not None and (
        before.target is not node.target or scope.values[before].shape[-1] != channels
    ):
        yield Problem(
            "other sums before", f"those of {channels} channels", "a pass put parts together wrongly"
        )


register_integer(
    IntegerOp(
        torch.ops.dgqc.channel_sums.default,
        rule=both(value_type("x", torch.int16), sums_of_the_same_channels),
        values=any_value,
    )
)


@torch.library.custom_op("dgqc::normalize", mutates_args=())
def normalize(
    x: torch.Tensor,
    sums: torch.Tensor,
    positions: int,
    step: torch.Tensor,
    groups: int,
    gamma: torch.Tensor,
    gamma_factor: torch.Tensor,
    gamma_shift: torch.Tensor,
    beta: torch.Tensor,
    beta_factor: torch.Tensor,
    beta_shift: torch.Tensor,
    epsilon: torch.Tensor,
) -> torch.Tensor:
    """A part of an image as `dgqc::group_norm` normalizes the whole; arguments as there.

    x: int16 (1, ..., C). sums: int64 (2, C), of all parts, with so many positions.
    Returns int16 of x's shape.
    """
    size = x.shape[-1] // groups
    total, squares = sums.reshape(SUMS, groups, size).sum(dim=-1)
    count = positions * size
    mean = torch.div(2 * total + count, 2 * count, rounding_mode="floor")
    # sum (x - mean)^2, which stays below 2^62; on the way it may wrap, and comes back.
    energy = squares - 2 * mean * total + count * mean * mean + epsilon[step]
    gain, offset = gains(gamma, gamma_factor, beta, beta_factor, beta_shift, step)
    y = affine(
        sixteenths(x).reshape(-1, groups, size) - mean[:, None],
        energy[:, None],
        gain.reshape(groups, size),
        gamma_shift[step].to(torch.int64),
        offset.reshape(groups, size),
    )
    return y.reshape(x.shape)


@fake(normalize)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


def sums_of_all_parts(node: fx.Node, scope: VerificationScope) -> Problems:
    """`sums` are of as many positions as the norm says: its bound counts on that."""
    a, found = arguments(node), 0
    sums = a["sums"]
    while isinstance(sums, fx.Node) and sums.target is torch.ops.dgqc.channel_sums.default:
        part = arguments(sums)
        found += scope.values[part["x"]].shape[:-1].numel()
        sums = part["before"]
    if sums is not None or found != a["positions"]:
        yield Problem(
            f"sums of {found} positions",
            f"those of {a['positions']}",
            "a pass left a part out, or took it twice",
        )


register_integer(
    IntegerOp(
        torch.ops.dgqc.normalize.default,
        rule=both(
            value_type("x", torch.int16),
            value_type("sums", torch.int64),
            plain_number("positions", (1, NONNEGATIVE[1])),
            sums_of_all_parts,
            AFFINE,
            per_call_or_set("epsilon", "groups", EPSILON, torch.int64),
        ),
        values=any_value,
    )
)
