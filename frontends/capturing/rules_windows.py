"""How pooling and resampling are captured: means and maxima of windows, nearest and mixed pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch.nn import functional as F

from .graph_builder import aten
from .norms import mean_of
from .registry import capture_rule
from .resampling import resampled
from .rewriter import Rewriter
from .rules_convolutions import depthwise, one_row, pair
from .values import CapturedValue


@capture_rule(aten.upsample_nearest2d.vec, aten.upsample_nearest2d.default)
def upsample(rewriter: Rewriter, value: fx.Node, *size_or_scales: object) -> CapturedValue:
    """To a size: what a whole-numbered scale gives is the same."""
    before = [int(size) for size in value.meta["val"].shape[2:]]
    after = [int(size) for size in rewriter.result().shape[2:]]
    by_scale = rewriter.node.target is aten.upsample_nearest2d.vec and size_or_scales[0] is None
    if by_scale and any(new % old for old, new in zip(before, after, strict=True)):
        return _nearest(rewriter, value, size_or_scales)
    return rewriter.emit(aten.upsample_nearest2d.vec, value, after, None)


@capture_rule(aten.avg_pool2d.default)
def average_pool(
    rewriter: Rewriter,
    value: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> CapturedValue:
    """Square windows as they are, any others as a depthwise convolution, or axis by axis where windows at the
    edge count fewer values."""
    window, margin = pair(kernel), pair(padding)
    step = pair(stride) if stride else window
    if divisor_override is not None:
        raise rewriter.unsupported(detail=f"it divides by {divisor_override}, whatever its windows hold")
    plain = F.avg_pool2d(value.meta["val"], window, step, margin).shape == rewriter.result().shape
    if not plain or (any(margin) and not count_include_pad):
        arguments = (kernel, stride, padding, ceil_mode, count_include_pad)
        return resampled(rewriter, value, lambda x: aten.avg_pool2d.default(x, *arguments))
    if not any(margin) and len(set(window)) == 1 and len(set(step)) == 1:
        return rewriter.emit(aten.avg_pool2d.default, value, window, step, margin)
    channels = int(value.meta["val"].shape[1])
    taps = torch.full((channels, 1, *window), 1 / (window[0] * window[1]))
    return depthwise(rewriter, value, rewriter.constant(taps, "mean"), None, step, margin)


@capture_rule(aten.avg_pool1d.default)
def average_pool_1d(
    rewriter: Rewriter,
    value: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> CapturedValue:
    """Of an image of one row."""
    shape = [int(size) for size in rewriter.result().shape]
    image = one_row(rewriter, value)
    step = int(stride[0]) if stride else int(kernel[0])
    window = ([1, int(kernel[0])], [1, step], [0, int(padding[0])], ceil_mode, count_include_pad)
    if ceil_mode or (padding[0] and not count_include_pad):
        found = resampled(rewriter, image, lambda x: aten.avg_pool2d.default(x, *window))
    else:
        channels = int(image.meta["val"].shape[1])
        taps = rewriter.constant(torch.full((channels, 1, 1, int(kernel[0])), 1 / int(kernel[0])), "mean")
        found = depthwise(rewriter, image, taps, None, window[1], window[2])
    return rewriter.reshape(found, shape)


@capture_rule(aten.adaptive_avg_pool2d.default, aten._adaptive_avg_pool2d.default)
def adaptive_average_pool(rewriter: Rewriter, value: fx.Node, size: Sequence[int]) -> CapturedValue:
    """The mean of all pixels, equal windows, or whatever windows there are, axis by axis."""
    before = [int(one) for one in value.meta["val"].shape[2:]]
    after = [int(one) for one in rewriter.result().shape[2:]]
    if after == [1, 1]:
        return mean_of(rewriter, value, (2, 3), keep=True)
    step = [old // new for old, new in zip(before, after, strict=True)]
    if step[0] == step[1] and [s * new for s, new in zip(step, after, strict=True)] == before:
        return rewriter.emit(aten.avg_pool2d.default, value, step, step, [0, 0])
    return resampled(rewriter, value, lambda x: aten._adaptive_avg_pool2d.default(x, after), after)


@capture_rule(aten.adaptive_avg_pool1d.default)
def adaptive_average_pool_1d(rewriter: Rewriter, value: fx.Node, size: Sequence[int]) -> CapturedValue:
    """Of an image of one row."""
    after = [1, int(rewriter.result().shape[-1])]
    image = one_row(rewriter, value)
    if after == [1, 1]:
        return mean_of(rewriter, value, (2,), keep=True)
    found = resampled(rewriter, image, lambda x: aten._adaptive_avg_pool2d.default(x, [x.shape[2], after[1]]))
    return rewriter.reshape(found, [int(one) for one in rewriter.result().shape])


@capture_rule(aten.max_pool2d.default)
def max_pool(
    rewriter: Rewriter,
    value: fx.Node,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> CapturedValue:
    result = rewriter.node.meta["val"]
    shape = (result[0] if isinstance(result, list | tuple) else result).shape
    window, margin = pair(kernel), pair(padding)
    step = pair(stride) if stride else window
    if pair(dilation) != [1, 1]:
        raise rewriter.unsupported(detail="its windows are dilated")
    if F.max_pool2d(value.meta["val"], window, step, margin).shape != shape:
        raise rewriter.unsupported(detail="its last windows reach beyond the image (ceil_mode)")
    return rewriter.emit(aten.max_pool2d.default, value, window, step, margin)


@capture_rule(aten.max_pool2d_with_indices.default)
def max_pool_with_indices(rewriter: Rewriter, *arguments: Any, **keywords: Any) -> CapturedValue:
    """Nobody reads the places that it gives as well."""
    return [max_pool(rewriter, *arguments, **keywords), None]


@capture_rule(
    aten.upsample_bilinear2d.vec,
    aten.upsample_bilinear2d.default,
    aten.upsample_bicubic2d.vec,
    aten.upsample_bicubic2d.default,
    aten._upsample_bilinear2d_aa.vec,
    aten._upsample_bilinear2d_aa.default,
    aten._upsample_bicubic2d_aa.vec,
    aten._upsample_bicubic2d_aa.default,
)
def interpolate(rewriter: Rewriter, value: fx.Node, *settings: Any) -> CapturedValue:
    """Weighted neighbours, axis by axis. PyTorch itself says which, and how much of each."""
    target = rewriter.node.target
    assert isinstance(target, torch._ops.OpOverload)
    return resampled(rewriter, value, lambda x: target(x, *settings))


def _nearest(rewriter: Rewriter, value: fx.Node, settings: Sequence[Any]) -> CapturedValue:
    """By any factor: PyTorch itself says which pixel is the nearest."""
    for axis in (2, 3):
        sizes = [int(size) for size in value.meta["val"].shape[2:]]
        places = torch.arange(sizes[axis - 2], dtype=torch.float32)
        image = places.reshape(1, 1, *([-1, 1] if axis == 2 else [1, -1])).expand(1, 1, *sizes)
        after = [int(size) for size in rewriter.result().shape[2:]]
        found = F.interpolate(image, size=after, mode="nearest")
        if settings[1] is not None:
            found = F.interpolate(image, scale_factor=tuple(settings[1]), mode="nearest")
        line = found[0, 0, :, 0] if axis == 2 else found[0, 0, 0, :]
        value = rewriter.take(value, axis, line.to(torch.int64))
    return value
