"""The small ATen set that models are captured as: a record for each op."""

from __future__ import annotations

import torch
from torch import fx

from ..verify.argument_rules import contiguous_slice
from ..verify.checks import anything
from ..verify.rules_float import convolution, layer_norm, softmax
from .captured import CapturedOp, ChannelScales, ProductKind, always, register_captured

aten = torch.ops.aten


def _not_a_positive_number(node: fx.Node) -> bool:
    """A positive factor goes into the scale; anything else makes other values."""
    factor = node.args[1]
    return isinstance(factor, fx.Node) or float(factor) <= 0  # type: ignore[arg-type]


# Products.
register_captured(
    CapturedOp(
        aten.linear.default,
        new_scale=always,
        product=ProductKind.LINEAR,
        channels=ChannelScales.FREE,
        gives_wide=True,
    ),
    CapturedOp(
        aten.conv2d.default,
        convolution,
        new_scale=always,
        product=ProductKind.CONVOLUTION,
        channels=ChannelScales.FREE,
        gives_wide=True,
    ),
    CapturedOp(aten.matmul.default, new_scale=always, product=ProductKind.ATTENTION),
)
# What stands between them.
register_captured(
    CapturedOp(
        aten.group_norm.default,
        new_scale=always,
        channels=ChannelScales.GROUPED,
        reads_wide=True,
        gives_wide=True,
    ),
    CapturedOp(aten.layer_norm.default, layer_norm, new_scale=always),
    CapturedOp(aten.silu.default, new_scale=always, channels=ChannelScales.FREE, reads_wide=True),
    CapturedOp(aten.gelu.default, new_scale=always, channels=ChannelScales.FREE, reads_wide=True),
    CapturedOp(aten.softmax.int, softmax, new_scale=always),
    CapturedOp(
        aten.add.Tensor,
        new_scale=always,
        follows_conditioning=True,
        channels=ChannelScales.FREE,
        reads_wide=True,
        gives_wide=True,
    ),
    CapturedOp(
        aten.mul.Tensor,
        new_scale=_not_a_positive_number,
        follows_conditioning=True,
        channels=ChannelScales.ONE_SIDE,
    ),
    CapturedOp(
        aten.cat.default,
        new_scale=always,
        follows_conditioning=True,
        channels=ChannelScales.JOINED,
        reads_wide=True,
    ),
    CapturedOp(aten.upsample_nearest2d.vec, channels=ChannelScales.KEPT),
    CapturedOp(aten.avg_pool2d.default, channels=ChannelScales.KEPT),
)
# Views.
register_captured(
    *(
        CapturedOp(target, rule, view=True, follows_conditioning=True, channels=ChannelScales.KEPT)
        for target, rule in (
            (aten.reshape.default, anything),
            (aten.permute.default, anything),
            (aten.slice.Tensor, contiguous_slice),
        )
    )
)
