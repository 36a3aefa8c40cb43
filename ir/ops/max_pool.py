"""`dgqc::max_pool2d`: the largest value of each window."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import max_pool2d as float_max_pool2d

from ..verify.argument_rules import value_type
from .captured import CapturedOp, register_captured
from .convolution import convolved
from .fake import fake
from .integer import IntegerOp, any_value, register_integer


@torch.library.custom_op("dgqc::max_pool2d", mutates_args=())
def max_pool2d(
    x: torch.Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> torch.Tensor:
    """Maximum of kernel windows, each channel by itself; what pads is smaller than any value.

    x: int16 (1, H, W, C). kernel, stride, padding: two numbers each, padding at most half the kernel.
    Returns int16 (1, H', W', C).
    """
    image = x.permute(0, 3, 1, 2).to(torch.float64)
    found = float_max_pool2d(image, list(kernel), list(stride), list(padding))
    return found.to(torch.int16).permute(0, 2, 3, 1).contiguous()


@fake(max_pool2d)
def _(x: torch.Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> torch.Tensor:
    sizes = [convolved(*axis) for axis in zip(x.shape[1:3], kernel, stride, padding, strict=True)]
    return x.new_empty((x.shape[0], *sizes, x.shape[3]))


register_integer(
    IntegerOp(torch.ops.dgqc.max_pool2d.default, rule=value_type("x", torch.int16), values=any_value)
)
# The largest of some values is one of them, so it keeps their scale.
register_captured(CapturedOp(torch.ops.aten.max_pool2d.default))
