"""Kernels of windows of images, channel by channel; their rows are positions, and they read a whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, Struct, struct
from .value_rows import part, row_bytes

dgqc = torch.ops.dgqc


def _upsample_nearest(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    _, height, width, _ = shape_of(a["x"])
    sizes = {"height": height, "width": width, "out_height": a["height"], "out_width": a["width"]}
    parameters = struct(bytes=row_bytes(part(node)), **sizes)
    source = context.places.at(a["x"])
    return context.by_rows("upsample_nearest", node, parameters, (source,), kind="upsample")


def _avg_pool2d(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    _, height, width, channels = shape_of(a["x"])
    sizes = {"channels": channels, "height": height, "width": width}
    out = {"out_height": shape_of(node)[1], "out_width": shape_of(node)[2]}
    parameters = struct(**sizes, **out, kernel=a["kernel"], stride=a["stride"])
    return context.by_rows("avg_pool2d", node, parameters, (context.places.at(a["x"]),), kind="pool")


def _window(node: fx.Node, a: dict[str, Any], kernel: Sequence[int]) -> Struct:
    (images, height, width, channels), (_, out_height, out_width, _) = shape_of(a["x"]), shape_of(node)
    return struct(
        channels=channels,
        height=height,
        width=width,
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride_height=a["stride"][0],
        stride_width=a["stride"][1],
        padding_height=a["padding"][0],
        padding_width=a["padding"][1],
        out_height=out_height,
        out_width=out_width,
        images=images,
    )


def _max_pool2d(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    parameters = struct(window=_window(node, a, a["kernel"]))
    return context.by_rows("max_pool2d", node, parameters, (context.places.at(a["x"]),))


def _depthwise_conv2d(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    tables = ("taps", "column", "factor", "shift", "bias", "bias_factor", "bias_shift")
    parameters = struct(
        window=_window(node, a, value_of(a["taps"]).shape),
        dilation_height=a["dilation"][0],
        dilation_width=a["dilation"][1],
        columns=shape_of(node)[-1],
        **context.named(a, *tables),
    )
    return context.by_rows("depthwise_conv2d", node, parameters, (context.places.at(a["x"]),))


def _of_depthwise(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """A multiplier and an addend for each column."""
    return (8 * shape_of(node)[-1],) * 2


KERNELS = (
    Kernel(dgqc.upsample_nearest.default, _upsample_nearest, by_rows()),
    Kernel(dgqc.avg_pool2d.default, _avg_pool2d, by_rows()),
    Kernel(dgqc.max_pool2d.default, _max_pool2d, by_rows()),
    Kernel(dgqc.depthwise_conv2d.default, _depthwise_conv2d, by_rows(), _of_depthwise),
)
