"""How convolutions are captured: neither grouped nor dilated nor transposed, but for depthwise ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx
from torch.nn import functional as F

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_shape import concatenate, cut, pixels_of_channels
from .values import CapturedValue, Constant, Padded

MOST_PARTS = 8
"""Convolutions that one with groups becomes. Of more groups some share one, with zeros between them."""


@capture_rule(aten.conv2d.default, absorbs_padding=True)
def convolution(
    rewriter: Rewriter,
    value: CapturedValue,
    weight: CapturedValue,
    bias: CapturedValue = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> CapturedValue:
    """Dilated kernels have zeros between their taps, groups are convolutions of their own."""
    if not isinstance(weight, Constant):
        raise rewriter.unsupported(detail="its weight is computed at run time")
    margin, spacing = pair(padding), pair(dilation)
    is_depthwise = groups > 1 and weight.tensor.shape[1] == 1
    if isinstance(value, Padded) or not is_depthwise:
        weight, spacing = _spread(weight, spacing), [1, 1]
    if isinstance(value, Padded):
        weight, margin = _absorb(value, weight, margin)
        value = value.value
    if is_depthwise:
        return depthwise(rewriter, value, weight, bias, pair(stride), margin, spacing)
    if groups > 1:
        return _grouped(rewriter, value, weight, bias, pair(stride), margin, groups)
    return rewriter.emit(aten.conv2d.default, value, weight, bias, pair(stride), margin, spacing, 1)


def depthwise(
    rewriter: Rewriter,
    value: fx.Node,
    weight: Constant,
    bias: CapturedValue = None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
) -> fx.Node:
    """A convolution with a group for each channel. weight: (N, 1, kh, kw)."""
    channels = int(value.meta["val"].shape[1])
    places = (list(stride), list(padding), list(dilation), False, [0, 0])
    return rewriter.emit(aten.convolution.default, value, weight, bias, *places, channels)


@capture_rule(aten.conv2d.padding, absorbs_padding=True)
def convolution_named(
    rewriter: Rewriter,
    value: CapturedValue,
    weight: Constant,
    bias: CapturedValue = None,
    stride: Sequence[int] = (1,),
    padding: str = "valid",
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> CapturedValue:
    extent = [d * (k - 1) for d, k in zip(pair(dilation), weight.tensor.shape[2:], strict=True)]
    if padding == "same" and any(total % 2 for total in extent):
        raise rewriter.unsupported(detail="its 'same' padding is one-sided")
    margin = [total // 2 for total in extent] if padding == "same" else [0, 0]
    return convolution(rewriter, value, weight, bias, stride, margin, dilation, groups)


@capture_rule(aten.conv1d.default)
def convolution_1d(
    rewriter: Rewriter,
    value: fx.Node,
    weight: CapturedValue,
    bias: CapturedValue = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> CapturedValue:
    """Of an image of one row."""
    if not isinstance(weight, Constant):
        raise rewriter.unsupported(detail="its weight is computed at run time")
    taps = Constant(weight.tensor[:, :, None], weight.name, weight.is_parameter)
    sizes = ([1, int(stride[0])], [0, int(padding[0])], [1, int(dilation[0])])
    found = convolution(rewriter, one_row(rewriter, value), taps, bias, *sizes, groups)
    return rewriter.reshape(found, [int(size) for size in rewriter.result().shape])


def transposed_1d(
    rewriter: Rewriter,
    value: CapturedValue,
    weight: Constant,
    bias: CapturedValue,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> CapturedValue:
    """A transposed convolution of an image of one row."""
    shape = [int(size) for size in rewriter.result().shape]
    taps = Constant(weight.tensor[:, :, None], weight.name, weight.is_parameter)
    row = one_row(rewriter, rewriter.whole(value))
    sizes = ([1, int(stride[0])], [0, int(padding[0])], [0, 0], groups, [1, int(dilation[0])])
    found = transposed_convolution(rewriter, row, taps, bias, *sizes, after=[1, shape[2]])
    return rewriter.reshape(found, shape)


@capture_rule(aten.conv_transpose2d.input)
def transposed_convolution(
    rewriter: Rewriter,
    value: CapturedValue,
    weight: CapturedValue,
    bias: CapturedValue = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
    after: Sequence[int] = (),
) -> CapturedValue:
    """Each place between two pixels is an output channel of a plain convolution, which then become pixels.

    after: height and width of the result, where they aren't the op's own.
    Along an axis, with kernel k, stride s and J = ceil(k / s): y[s q + r - p] = sum_j x[q - j] w[s j + r].
    """
    if not isinstance(weight, Constant):
        raise rewriter.unsupported(detail="its weight is computed at run time")
    value = rewriter.whole(value)
    step, margin = pair(stride), pair(padding)
    kernel = _spread(weight, pair(dilation)).tensor
    phases = _phases(kernel, step, groups)
    sizes = [int(size) for size in value.meta["val"].shape[2:]]
    after = after or [int(size) for size in rewriter.result().shape[2:]]
    reach = [int(size) for size in phases.shape[2:]]
    first = [min(p // s, j - 1) for p, s, j in zip(margin, step, reach, strict=True)]
    ends = [-(-(p + out) // s) - size for p, out, s, size in zip(margin, after, step, sizes, strict=True)]
    top, left = (j - 1 - q for j, q in zip(reach, first, strict=True))
    padded = Padded(value, left, max(0, ends[1]), top, max(0, ends[0]))
    each = step[0] * step[1]
    offsets = None if bias is None else rewriter.constant(bias.tensor.repeat_interleave(each), "bias")
    taps = rewriter.constant(phases, "weight")
    found = convolution(rewriter, padded, taps, offsets, (1, 1), (0, 0), (1, 1), groups)
    found = pixels_of_channels(rewriter, found, step[0], step[1])
    for axis in range(2):
        start = margin[axis] - step[axis] * first[axis]
        found = cut(rewriter, found, axis + 2, start, start + after[axis])
    return found


def pair(sizes: int | Sequence[int]) -> list[int]:
    """Two sizes from one or two."""
    values = [sizes] if isinstance(sizes, int) else list(sizes)
    return [int(size) for size in (values * 2 if len(values) == 1 else values)]


def _grouped(
    rewriter: Rewriter,
    value: fx.Node,
    weight: Constant,
    bias: CapturedValue,
    stride: Sequence[int],
    padding: Sequence[int],
    groups: int,
) -> CapturedValue:
    """A convolution for each group, or for some of them together."""
    parts = next(count for count in range(min(groups, MOST_PARTS), 0, -1) if groups % count == 0)
    columns, channels = weight.tensor.shape[0] // parts, int(value.meta["val"].shape[1]) // parts
    results = []
    for part in range(parts):
        rows = slice(part * columns, (part + 1) * columns)
        taps = rewriter.constant(_block_diagonal(weight.tensor[rows], groups // parts), "weight")
        offsets = None if bias is None else rewriter.constant(bias.tensor[rows], "bias")
        source = cut(rewriter, value, 1, part * channels, (part + 1) * channels)
        places = (list(stride), list(padding), [1, 1], 1)
        results.append(rewriter.emit(aten.conv2d.default, source, taps, offsets, *places))
    return concatenate(rewriter, results, 1) if parts > 1 else results[0]


def _block_diagonal(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The weight without groups that computes the same. weight: (N, C / groups, kh, kw)."""
    columns, channels, *kernel = weight.shape
    full = weight.new_zeros(columns, channels * groups, *kernel)
    for group in range(groups):
        rows = slice(group * (columns // groups), (group + 1) * (columns // groups))
        full[rows, group * channels : (group + 1) * channels] = weight[rows]
    return full


def _phases(weight: torch.Tensor, stride: Sequence[int], groups: int) -> torch.Tensor:
    """The weight of the plain convolution: (N s s, C / groups, J, J), output channels of one n side by side.

    weight: (C, N / groups, kh, kw).
    """
    channels, columns, *kernel = weight.shape
    reach = [-(-k // s) for k, s in zip(kernel, stride, strict=True)]
    full = F.pad(weight, (0, reach[1] * stride[1] - kernel[1], 0, reach[0] * stride[0] - kernel[0]))
    apart = full.reshape(groups, channels // groups, columns, reach[0], stride[0], reach[1], stride[1])
    turned = apart.flip(3, 5).permute(0, 2, 4, 6, 1, 3, 5)
    return turned.reshape(groups * columns * stride[0] * stride[1], channels // groups, *reach).contiguous()


def _spread(weight: Constant, dilation: Sequence[int]) -> Constant:
    """The kernel with zeros between its taps."""
    if list(dilation) == [1, 1]:
        return weight
    *channels, height, width = weight.tensor.shape
    sizes = [(size - 1) * d + 1 for size, d in zip((height, width), dilation, strict=True)]
    spread = weight.tensor.new_zeros(*channels, *sizes)
    spread[..., :: dilation[0], :: dilation[1]] = weight.tensor.detach()
    return Constant(spread, weight.name, weight.is_parameter)


def _absorb(padded: Padded, weight: Constant, margin: Sequence[int]) -> tuple[Constant, list[int]]:
    """A convolution that pads more on one side equals one that pads alike on both with zero taps on its
    kernel's other side: the zeros that it then reads too much, it multiplies with zero."""
    left, right = padded.left + margin[1], padded.right + margin[1]
    top, bottom = padded.top + margin[0], padded.bottom + margin[0]
    both = [max(top, bottom), max(left, right)]
    if (left, top) == (right, bottom):
        return weight, both
    taps = (both[1] - left, both[1] - right, both[0] - top, both[0] - bottom)
    return Constant(F.pad(weight.tensor.detach(), taps), weight.name, weight.is_parameter), both


def one_row(rewriter: Rewriter, value: fx.Node) -> fx.Node:
    """A sequence (1, C, L) as an image of one row."""
    batch, channels, length = (int(size) for size in value.meta["val"].shape)
    return rewriter.reshape(value, [batch, channels, 1, length])
