"""How convolutions along frames are captured: a video is so many images, or one image of frames by pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_convolutions import convolution
from .values import CapturedValue, Constant


@capture_rule(aten.conv3d.default)
def convolution_3d(
    rewriter: Rewriter,
    value: fx.Node,
    weight: CapturedValue,
    bias: CapturedValue = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> CapturedValue:
    """Of frames by pixels where the kernel is one pixel, else of each frame, its neighbours as channels."""
    if not isinstance(weight, Constant):
        raise rewriter.unsupported(detail="its weight is computed at run time")
    step, margin, spacing = (_three(one) for one in (stride, padding, dilation))
    kernel = list(weight.tensor.shape[2:])
    if kernel[1:] == [1, 1] and step[1:] == [1, 1] and margin[1:] == [0, 0]:
        return _along_frames(rewriter, value, weight, bias, (step[0], margin[0], spacing[0]), groups)
    if groups > 1 and kernel[0] > 1:
        raise rewriter.unsupported(detail="its groups reach over several frames")
    return _of_frames(rewriter, value, weight, bias, step, margin, spacing, groups)


def _along_frames(
    rewriter: Rewriter,
    value: fx.Node,
    weight: Constant,
    bias: CapturedValue,
    places: tuple[int, int, int],
    groups: int,
) -> CapturedValue:
    """A kernel of one pixel: that of an image (frames, pixels). places: stride, padding, dilation."""
    batch, channels, frames, height, width = (int(size) for size in value.meta["val"].shape)
    taps = Constant(weight.tensor.flatten(3), weight.name, weight.is_parameter)
    image = rewriter.reshape(value, [batch, channels, frames, height * width])
    stride, padding, dilation = places
    sizes = ([stride, 1], [padding, 0], [dilation, 1])
    found = convolution(rewriter, image, taps, bias, *sizes, groups)
    return rewriter.reshape(found, [int(size) for size in rewriter.result().shape])


def _of_frames(
    rewriter: Rewriter,
    value: fx.Node,
    weight: Constant,
    bias: CapturedValue,
    step: Sequence[int],
    margin: Sequence[int],
    spacing: Sequence[int],
    groups: int,
) -> CapturedValue:
    """A convolution of images, of which each holds the frames that the kernel reads as channels."""
    taps, after = int(weight.tensor.shape[2]), [int(size) for size in rewriter.result().shape]
    padded = rewriter.with_zeros(value, [0, 0, 0, 0, margin[0], margin[0]])
    read = [torch.arange(after[2]) * step[0] + tap * spacing[0] for tap in range(taps)]
    parts = [rewriter.take(padded, 2, one) for one in read]
    stacked = parts[0] if taps == 1 else rewriter.emit(aten.cat.default, parts, 1)
    batch, channels, frames, height, width = (int(size) for size in stacked.meta["val"].shape)
    by_frame = rewriter.permute(stacked, [0, 2, 1, 3, 4])
    images = rewriter.reshape(by_frame, [batch * frames, channels, height, width])
    kernel = rewriter.constant(weight.tensor.transpose(1, 2).flatten(1, 2), "weight")
    places = (step[1:], margin[1:], spacing[1:])
    found = convolution(rewriter, images, kernel, bias, *places, groups)
    apart = rewriter.reshape(found, [after[0], after[2], after[1], *after[3:]])
    return rewriter.permute(apart, [0, 2, 1, 3, 4])


def _three(sizes: Sequence[int]) -> list[int]:
    values = [int(size) for size in sizes]
    return values * 3 if len(values) == 1 else values
