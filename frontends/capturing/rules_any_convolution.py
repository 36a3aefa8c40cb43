"""`aten.convolution`, whichever of the convolutions it is."""

from __future__ import annotations

from collections.abc import Sequence

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_convolutions import convolution, convolution_1d, transposed_1d, transposed_convolution
from .rules_videos import convolution_3d
from .values import CapturedValue, Constant


@capture_rule(aten.convolution.default, absorbs_padding=True)
def convolution_general(
    rewriter: Rewriter,
    value: CapturedValue,
    weight: Constant,
    bias: CapturedValue,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> CapturedValue:
    """As `conv2d`, `conv1d`, `conv3d` or `conv_transpose2d`, or that of an image of one row."""
    rank = weight.tensor.dim() - 2
    if rank == 3:
        if transposed:
            raise rewriter.unsupported(detail="it is a transposed one of videos")
        return convolution_3d(
            rewriter, rewriter.whole(value), weight, bias, stride, padding, dilation, groups
        )
    if transposed and rank == 1:
        return transposed_1d(rewriter, value, weight, bias, stride, padding, dilation, groups)
    if transposed:
        return transposed_convolution(
            rewriter, value, weight, bias, stride, padding, output_padding, groups, dilation
        )
    if rank == 1:
        return convolution_1d(rewriter, value, weight, bias, stride, padding, dilation, groups)
    return convolution(rewriter, value, weight, bias, stride, padding, dilation, groups)
