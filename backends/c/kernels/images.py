"""Kernels that make images larger and smaller; their rows are positions, and they read all of an image."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, struct
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
    sizes = {"channels": channels, "height": height, "width": width, "out_width": shape_of(node)[2]}
    parameters = struct(**sizes, kernel=a["kernel"], stride=a["stride"])
    return context.by_rows("avg_pool2d", node, parameters, (context.places.at(a["x"]),), kind="pool")


KERNELS = (
    Kernel(dgqc.upsample_nearest.default, _upsample_nearest, by_rows()),
    Kernel(dgqc.avg_pool2d.default, _avg_pool2d, by_rows()),
)
