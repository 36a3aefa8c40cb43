"""The small ATen set that models are captured as: a record for each op."""

from __future__ import annotations

import torch
from torch import fx

from ..verify.argument_rules import contiguous_slice
from ..verify.rules_float import convolution, layer_norm, softmax
from .captured import CapturedOp, ProductKind, always, register_captured

aten = torch.ops.aten


def _not_a_positive_number(node: fx.Node) -> bool:
    """A positive factor goes into the scale; anything else makes other values."""
    factor = node.args[1]
    return isinstance(factor, fx.Node) or float(factor) <= 0  # type: ignore[arg-type]


# Products.
register_captured(
    CapturedOp(aten.linear.default, new_scale=always, product=ProductKind.LINEAR),
    CapturedOp(aten.conv2d.default, convolution, new_scale=always, product=ProductKind.CONVOLUTION),
    CapturedOp(aten.matmul.default, new_scale=always, product=ProductKind.ATTENTION),
)
# What stands between them.
register_captured(
    CapturedOp(aten.group_norm.default, new_scale=always),
    CapturedOp(aten.layer_norm.default, layer_norm, new_scale=always),
    CapturedOp(aten.silu.default, new_scale=always),
    CapturedOp(aten.gelu.default, new_scale=always),
    CapturedOp(aten.softmax.int, softmax, new_scale=always),
    CapturedOp(aten.add.Tensor, new_scale=always, follows_conditioning=True),
    CapturedOp(aten.mul.Tensor, new_scale=_not_a_positive_number, follows_conditioning=True),
    CapturedOp(aten.cat.default, new_scale=always, follows_conditioning=True),
    CapturedOp(aten.upsample_nearest2d.vec),
    CapturedOp(aten.avg_pool2d.default),
)
# Views.
register_captured(
    CapturedOp(aten.reshape.default, view=True, follows_conditioning=True),
    CapturedOp(aten.permute.default, view=True, follows_conditioning=True),
    CapturedOp(aten.slice.Tensor, contiguous_slice, view=True, follows_conditioning=True),
)
