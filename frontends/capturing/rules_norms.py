"""How norms are captured: group, layer and RMS norms with all arguments, batch norms in products."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import fx

from .graph_builder import aten
from .images import image_of
from .norms import last_axes_as_one
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_convolutions import depthwise
from .values import CapturedValue, Constant


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
    shape = [int(size) for size in value.meta["val"].shape]
    weight, bias = _affine(rewriter, weight, bias, shape[1:2])
    found = rewriter.emit(aten.group_norm.default, image_of(value) or value, groups, weight, bias, eps)
    return rewriter.reshape(found, shape)


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
    """Several axes are one."""
    weight, bias = _affine(rewriter, weight, bias, shape)
    if len(shape) == 1:
        return rewriter.emit(aten.layer_norm.default, value, list(shape), weight, bias, eps)
    flat = [rewriter.constant(one.tensor.flatten(), "affine") for one in (weight, bias)]
    rows = _rows(rewriter, value, len(shape))
    found = rewriter.emit(aten.layer_norm.default, rows, [math.prod(shape)], *flat, eps)
    return rewriter.reshape(found, [int(size) for size in value.meta["val"].shape])


@capture_rule(aten.native_group_norm.default)
def native_group_norm(
    rewriter: Rewriter,
    value: fx.Node,
    weight: CapturedValue,
    bias: CapturedValue,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    eps: float,
) -> CapturedValue:
    """Nobody reads the moments that it gives as well."""
    return [group_norm(rewriter, value, groups, weight, bias, eps), None, None]


@capture_rule(aten.native_layer_norm.default)
def native_layer_norm(
    rewriter: Rewriter,
    value: fx.Node,
    shape: Sequence[int],
    weight: CapturedValue,
    bias: CapturedValue,
    eps: float,
) -> CapturedValue:
    """As `layer_norm`; nobody reads the moments that it gives as well."""
    return [layer_norm(rewriter, value, shape, weight, bias, eps), None, None]


@capture_rule(aten.rms_norm.default)
def rms_norm(
    rewriter: Rewriter,
    value: fx.Node,
    shape: Sequence[int],
    weight: CapturedValue = None,
    eps: float | None = None,
) -> CapturedValue:
    """Several axes are one."""
    gains = rewriter.constant(torch.ones(tuple(shape)), "weight") if weight is None else weight
    eps = torch.finfo(torch.float32).eps if eps is None else eps
    if len(shape) == 1:
        return rewriter.emit(aten.rms_norm.default, value, list(shape), gains, eps)
    flat = rewriter.constant(gains.tensor.flatten(), "weight")
    found = rewriter.emit(
        aten.rms_norm.default, _rows(rewriter, value, len(shape)), [math.prod(shape)], flat, eps
    )
    return rewriter.reshape(found, [int(size) for size in value.meta["val"].shape])


@capture_rule(aten.instance_norm.default)
def instance_norm(
    rewriter: Rewriter,
    value: fx.Node,
    weight: CapturedValue,
    bias: CapturedValue,
    mean: CapturedValue,
    variance: CapturedValue,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> CapturedValue:
    """A group norm with a group for each channel; or a batch norm, with moments that were kept."""
    if use_input_stats:
        return group_norm(rewriter, value, int(value.meta["val"].shape[1]), weight, bias, eps)
    return batch_norm(rewriter, value, weight, bias, mean, variance, False, momentum, eps)


@capture_rule(aten.batch_norm.default)
def batch_norm(
    rewriter: Rewriter,
    value: fx.Node,
    weight: CapturedValue,
    bias: CapturedValue,
    mean: CapturedValue,
    variance: CapturedValue,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> CapturedValue:
    """A gain and an offset for each channel: in the convolution before it, or a depthwise one of one tap."""
    if training or mean is None or variance is None:
        raise rewriter.unsupported(detail="it normalizes by the batch at hand")
    channels = int(value.meta["val"].shape[1])
    weight, bias = _affine(rewriter, weight, bias, (channels,))
    gain = weight.tensor / (variance.tensor + eps).sqrt()
    offset = bias.tensor - mean.tensor * gain
    source = rewriter.node.args[0]
    alone = isinstance(source, fx.Node) and len(source.users) == 1
    if alone and value.target in (aten.conv2d.default, aten.convolution.default, aten.linear.default):
        return _into_product(rewriter, value, gain, offset)
    return _as_convolution(rewriter, value, gain, offset)


@capture_rule(aten._native_batch_norm_legit_no_training.default)
def native_batch_norm(
    rewriter: Rewriter,
    value: fx.Node,
    weight: CapturedValue,
    bias: CapturedValue,
    mean: CapturedValue,
    variance: CapturedValue,
    momentum: float,
    eps: float,
) -> CapturedValue:
    """As `batch_norm`; nobody reads the moments that it gives as well."""
    found = batch_norm(rewriter, value, weight, bias, mean, variance, False, momentum, eps)
    return [found, None, None]


def _into_product(
    rewriter: Rewriter, product: fx.Node, gain: torch.Tensor, offset: torch.Tensor
) -> CapturedValue:
    """The product with other weights. The one at hand is read by nobody from then on."""
    source, weight, bias, *rest = product.args
    kernel = rewriter.builder.tensor_of(weight)
    scaled = kernel * gain.reshape(-1, *[1] * (kernel.dim() - 1))
    before = torch.zeros_like(offset) if bias is None else rewriter.builder.tensor_of(bias)
    constants = (rewriter.constant(scaled, "weight"), rewriter.constant(before * gain + offset, "bias"))
    return rewriter.emit(product.target, source, *constants, *rest)


def _as_convolution(
    rewriter: Rewriter, value: fx.Node, gain: torch.Tensor, offset: torch.Tensor
) -> CapturedValue:
    shape = [int(size) for size in value.meta["val"].shape]
    image = rewriter.reshape(value, [*shape[:2], math.prod(shape[2:]), 1] if len(shape) != 4 else shape)
    taps = (rewriter.constant(gain.reshape(-1, 1, 1, 1), "weight"), rewriter.constant(offset, "bias"))
    return rewriter.reshape(depthwise(rewriter, image, *taps), shape)


def _rows(rewriter: Rewriter, value: fx.Node, axes: int) -> fx.Node:
    rank = value.meta["val"].dim()
    return last_axes_as_one(rewriter, value, tuple(range(rank - axes, rank)))


def _affine(
    rewriter: Rewriter, weight: CapturedValue, bias: CapturedValue, shape: Sequence[int]
) -> tuple[Constant, Constant]:
    scale = weight if weight is not None else rewriter.constant(torch.ones(tuple(shape)), "weight")
    shift = bias if bias is not None else rewriter.constant(torch.zeros(tuple(shape)), "bias")
    return scale, shift
