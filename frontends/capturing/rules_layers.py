"""How layers and attention are captured: weights always constants, arguments always in full."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import fx
from torch.nn import functional as F

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_arithmetic import add, multiply
from .values import CapturedValue, Constant, Padded


@capture_rule(aten.linear.default)
def linear(
    rewriter: Rewriter, value: fx.Node, weight: CapturedValue, bias: CapturedValue = None
) -> CapturedValue:
    if not isinstance(weight, Constant):
        raise rewriter.unsupported(detail="its weight is computed at run time")
    return rewriter.emit(aten.linear.default, value, weight, bias)


@capture_rule(aten.matmul.default, aten.bmm.default, aten.mm.default)
def matmul(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    if isinstance(right, Constant) and right.tensor.dim() == 2:
        weight = rewriter.constant(right.tensor.t().contiguous(), "weight")
        return rewriter.emit(aten.linear.default, left, weight, None)
    return rewriter.emit(aten.matmul.default, left, right)


@capture_rule(aten.addmm.default)
def add_matmul(
    rewriter: Rewriter,
    bias: CapturedValue,
    left: CapturedValue,
    right: CapturedValue,
    beta: float = 1,
    alpha: float = 1,
) -> CapturedValue:
    if alpha == 1 and beta == 1 and isinstance(bias, Constant) and isinstance(right, Constant):
        weight = rewriter.constant(right.tensor.t().contiguous(), "weight")
        return rewriter.emit(aten.linear.default, left, weight, bias)
    return add_batched_matmul(rewriter, bias, left, right, beta, alpha)


@capture_rule(aten.baddbmm.default)
def add_batched_matmul(
    rewriter: Rewriter,
    bias: CapturedValue,
    left: CapturedValue,
    right: CapturedValue,
    beta: float = 1,
    alpha: float = 1,
) -> CapturedValue:
    """With beta = 0 the first argument is not even read: an uninitialized tensor stands there."""
    product = multiply(rewriter, matmul(rewriter, left, right), alpha)
    if beta == 0:
        return product
    return add(rewriter, product, multiply(rewriter, bias, beta) if beta != 1 else bias)


@capture_rule(aten.scaled_dot_product_attention.default)
def attention(
    rewriter: Rewriter,
    query: CapturedValue,
    key: CapturedValue,
    value: CapturedValue,
    mask: CapturedValue = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> CapturedValue:
    """matmul, mul, softmax, matmul."""
    if mask is not None or is_causal or dropout or enable_gqa:
        raise rewriter.unsupported(
            detail="attention with a mask, dropout or shared heads has no integer form"
        )
    rank, width = key.meta["val"].dim(), int(query.meta["val"].shape[-1])
    swapped = [*range(rank - 2), rank - 1, rank - 2]
    transposed = rewriter.permute(key, swapped, suffix="transposed_keys")
    scores = rewriter.emit(aten.matmul.default, query, transposed, suffix="scores")
    factor = 1.0 / math.sqrt(width) if scale is None else float(scale)
    if factor != 1.0:
        scores = rewriter.emit(aten.mul.Tensor, scores, factor, suffix="scaled_scores")
    probabilities = rewriter.emit(aten.softmax.int, scores, -1, suffix="probabilities")
    return rewriter.emit(aten.matmul.default, probabilities, value, suffix="attended")


@capture_rule(aten.softmax.int, aten._softmax.default)
def softmax(rewriter: Rewriter, value: fx.Node, dim: int, dtype: object = None) -> CapturedValue:
    tensor = value.meta["val"]
    if dim % tensor.dim() != tensor.dim() - 1:
        raise rewriter.unsupported(detail=f"its dimension is {dim}, but only the last one is known")
    if rewriter.result().dtype != tensor.dtype:
        raise rewriter.unsupported(detail=f"it converts to {rewriter.result().dtype}")
    return rewriter.emit(aten.softmax.int, value, -1)


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
    if not isinstance(weight, Constant):
        raise rewriter.unsupported(detail="its weight is computed at run time")
    margin, spacing = _pair(padding), _pair(dilation)
    if isinstance(value, Padded):
        weight, margin = _absorb(rewriter, value, weight, margin, spacing)
        value = value.value
    return rewriter.emit(aten.conv2d.default, value, weight, bias, _pair(stride), margin, spacing, groups)


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
    extent = [d * (k - 1) for d, k in zip(_pair(dilation), weight.tensor.shape[2:], strict=True)]
    if padding == "same" and any(total % 2 for total in extent):
        raise rewriter.unsupported(detail="its 'same' padding is one-sided")
    margin = [total // 2 for total in extent] if padding == "same" else [0, 0]
    return convolution(rewriter, value, weight, bias, stride, margin, dilation, groups)


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
    if transposed or weight.tensor.dim() != 4:
        raise rewriter.unsupported(detail="only 2-D convolutions that are not transposed are known")
    return convolution(rewriter, value, weight, bias, stride, padding, dilation, groups)


@capture_rule(aten.group_norm.default)
def group_norm(
    rewriter: Rewriter,
    value: fx.Node,
    groups: int,
    weight: CapturedValue = None,
    bias: CapturedValue = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> CapturedValue:
    channels = (int(value.meta["val"].shape[1]),)
    weight, bias = _affine(rewriter, weight, bias, channels)
    return rewriter.emit(aten.group_norm.default, value, groups, weight, bias, eps)


@capture_rule(aten.layer_norm.default)
def layer_norm(
    rewriter: Rewriter,
    value: fx.Node,
    shape: Sequence[int],
    weight: CapturedValue = None,
    bias: CapturedValue = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> CapturedValue:
    weight, bias = _affine(rewriter, weight, bias, shape)
    return rewriter.emit(aten.layer_norm.default, value, list(shape), weight, bias, eps)


@capture_rule(aten.silu.default)
def silu(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    return rewriter.emit(aten.silu.default, value)


@capture_rule(aten.gelu.default)
def gelu(rewriter: Rewriter, value: fx.Node, *, approximate: str = "none") -> CapturedValue:
    return rewriter.emit(aten.gelu.default, value, approximate=approximate)


@capture_rule(aten.upsample_nearest2d.vec, aten.upsample_nearest2d.default)
def upsample(rewriter: Rewriter, value: fx.Node, *size_or_scales: object) -> CapturedValue:
    """To a size: what a whole-numbered scale gives is the same."""
    before = [int(size) for size in value.meta["val"].shape[2:]]
    after = [int(size) for size in rewriter.result().shape[2:]]
    by_scale = rewriter.node.target is aten.upsample_nearest2d.vec and size_or_scales[0] is None
    if by_scale and any(new % old for old, new in zip(before, after, strict=True)):
        raise rewriter.unsupported(detail=f"its scale from {before} to {after} is not a whole number")
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
    window, margin = _pair(kernel), _pair(padding)
    step = _pair(stride) if stride else window
    plain = F.avg_pool2d(value.meta["val"], window, step, margin).shape == rewriter.result().shape
    if not plain or divisor_override is not None or (any(margin) and not count_include_pad):
        raise rewriter.unsupported(detail="only plain average pooling is known")
    return rewriter.emit(aten.avg_pool2d.default, value, window, step, margin)


def _absorb(
    rewriter: Rewriter, padded: Padded, weight: Constant, margin: Sequence[int], dilation: Sequence[int]
) -> tuple[Constant, list[int]]:
    """A convolution that pads more on one side equals one that pads alike on both with zero taps on its
    kernel's other side: the zeros that it then reads too much, it multiplies with zero."""
    left, right = padded.left + margin[1], padded.right + margin[1]
    top, bottom = padded.top + margin[0], padded.bottom + margin[0]
    both = [max(top, bottom), max(left, right)]
    if (left, top) == (right, bottom):
        return weight, both
    if list(dilation) != [1, 1]:
        raise rewriter.unsupported(detail="one-sided padding before a dilated convolution is not known")
    taps = (both[1] - left, both[1] - right, both[0] - top, both[0] - bottom)
    return Constant(F.pad(weight.tensor.detach(), taps), weight.name, weight.is_parameter), both


def _affine(
    rewriter: Rewriter, weight: CapturedValue, bias: CapturedValue, shape: Sequence[int]
) -> tuple[Constant, Constant]:
    scale = weight if weight is not None else rewriter.constant(torch.ones(tuple(shape)), "weight")
    shift = bias if bias is not None else rewriter.constant(torch.zeros(tuple(shape)), "bias")
    return scale, shift


def _pair(sizes: int | Sequence[int]) -> list[int]:
    values = [sizes] if isinstance(sizes, int) else list(sizes)
    return [int(size) for size in (values * 2 if len(values) == 1 else values)]
