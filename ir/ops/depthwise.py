"""`dgqc::depthwise_conv2d`: each output channel reads one channel of 16-bit values, with 16-bit weights.

A depthwise convolution multiplies little, and loses much in few bits: nothing of it is coded.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx
from torch.nn.functional import conv2d as float_conv2d

from ..nodes import arguments
from ..verify.argument_rules import value_type
from ..verify.checks import Problem, Problems, VerificationScope, both, type_name
from ..verify.overflow_proofs import depthwise_bound
from .captured import CapturedOp, always, register_captured
from .convolution import convolved
from .fake import fake
from .integer import IntegerOp, any_value, register_integer
from .product import EPILOGUE, requantize_columns


@torch.library.custom_op("dgqc::depthwise_conv2d", mutates_args=())
def depthwise_conv2d(
    x: torch.Tensor,
    step: torch.Tensor,
    taps: torch.Tensor,
    column: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
    bias: torch.Tensor,
    bias_factor: torch.Tensor,
    bias_shift: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> torch.Tensor:
    """accumulator[i, j, n] = sum_{u, v} x[i s + u d - p, j s + v d - p, n C / N] * taps[u, v, n], then
    `requantize_columns`. What pads is 0.

    x: int16 (1, H, W, C). taps: int16 (kh, kw, N), N a multiple of C. stride, padding, dilation: two numbers
    each. Returns int16 (1, H', W', N). |accumulator| <= 2^30 kh kw, below 2^53.
    """
    channels = x.shape[-1]
    image = x.permute(0, 3, 1, 2).to(torch.float64)
    kernel = taps.permute(2, 0, 1).to(torch.float64)[:, None]
    places = (list(stride), list(padding), list(dilation))
    found = float_conv2d(image, kernel, None, *places, groups=channels).to(torch.int64)
    rows = found.permute(0, 2, 3, 1).contiguous()
    return requantize_columns(rows, step, column, factor, shift, bias, bias_factor, bias_shift)


@fake(depthwise_conv2d)
def _(
    x: torch.Tensor,
    taps: torch.Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> torch.Tensor:
    reach = ((size - 1) * spacing + 1 for size, spacing in zip(taps.shape[:2], dilation, strict=True))
    sizes = [convolved(*axis) for axis in zip(x.shape[1:3], reach, stride, padding, strict=True)]
    return x.new_empty((x.shape[0], *sizes, taps.shape[2]))


def _taps_fit(node: fx.Node, scope: VerificationScope) -> Problems:
    """A weight with the same number of output channels for each channel, whose sums fit."""
    named = arguments(node)
    source = named["taps"]
    if not (isinstance(source, fx.Node) and source.op == "get_attr"):
        yield Problem(f"taps={source}", "a constant of the graph", "a weight is computed at run time")
        return
    taps, channels = scope.tensor(source), scope.values[named["x"]].shape[-1]
    if taps.dtype is not torch.int16 or taps.dim() != 3 or taps.shape[2] % channels:
        yield Problem(
            f"taps of {type_name(taps)}", f"int16 (kh, kw, a multiple of {channels})", "of another layer"
        )
        return
    yield from depthwise_bound(node, scope)


register_integer(
    IntegerOp(
        torch.ops.dgqc.depthwise_conv2d.default,
        rule=both(value_type("x", torch.int16), EPILOGUE, _taps_fit),
        values=any_value,
    )
)


def _depthwise(node: fx.Node, scope: VerificationScope) -> Problems:
    """Not transposed, and with as many groups as channels; all others are captured as `aten.conv2d`."""
    named = arguments(node)
    channels = scope.values[named["input"]].shape[1]
    if named["transposed"] or named["groups"] != channels:
        yield Problem(
            f"groups={named['groups']}, transposed={named['transposed']}",
            f"groups={channels}, not transposed",
            "the convolution isn't in the captured form",
        )


register_captured(CapturedOp(torch.ops.aten.convolution.default, _depthwise, new_scale=always))
