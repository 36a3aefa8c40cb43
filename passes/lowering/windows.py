"""Windows of images, channel by channel: depthwise convolutions and maxima."""

from __future__ import annotations

import math

import torch
from torch import fx

from ...ir.plans import Weight
from ..graph.edit import aten, dgqc, shape
from .builder import IntegerGraphBuilder
from .layout import Layout, channels_last
from .products import epilogue
from .registry import lowers
from .values import LoweredValue, Scaled

TAP_BITS = 16


@lowers(aten.convolution.default)
def lower_depthwise(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::depthwise_conv2d`: 16-bit weights with a scale for each output channel, values as they are."""
    source, weight_node, bias_node, stride, padding, dilation = node.args[:6]
    value, scale = builder.scaled(source, channels_last(4)), builder.output_scale(node)
    weight = builder.weight(weight_node).double()[:, 0]
    unit = weight.abs().amax(dim=(1, 2)).clamp(min=1e-30) / 32767
    codes = torch.round(weight / unit[:, None, None]).to(torch.int16)
    bound = math.ceil(2**15 * int(codes.long().abs().sum(dim=(1, 2)).max()))
    bias = None if bias_node is None else builder.weight(bias_node)
    # A convolution's epilogue asks for the scales alone.
    plan = Weight(TAP_BITS, codes, unit)
    constants = epilogue(builder, node, plan, bias, value.scale, bound)
    taps = builder.constant(f"{node.name}.taps", codes.permute(1, 2, 0))
    args = (value.node, builder.step, taps, *constants, stride, padding, dilation)
    layout = Layout(shape(node), channels_last(4))
    return Scaled(builder.call(dgqc.depthwise_conv2d.default, args, node), scale, layout)


@lowers(aten.max_pool2d.default)
def lower_max_pool(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::max_pool2d`; the scale stays."""
    value = builder.scaled(node.args[0], channels_last(4))
    result = builder.call(dgqc.max_pool2d.default, (value.node, *node.args[1:4]), node)
    return Scaled(result, value.scale, Layout(shape(node), channels_last(4)))
