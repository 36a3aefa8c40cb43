"""Quantization and 16-bit arithmetic as calls."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from ..layout.rows import part, row_arguments, row_bytes
from .broadcast import merged_rows
from .context import EmissionContext
from .kernel_call import CallsOf, KernelCall, Struct, struct, unsupported


def quantize(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::quantize`."""
    shape = shape_of(a["x"])
    axis = a["axis"] % len(shape)
    by_column = axis == len(shape) - 1
    parameters = struct(
        columns=shape[-1],
        count=shape[axis],
        inner=0 if by_column else math.prod(shape[axis + 1 : -1]),
        **context.named(a, "multiplier", "offset", "shift"),
        group=context.group(a["group"]),
        groups=value_of(a["multiplier"]).shape[1],
        bits=a["bits"],
    )
    return context.by_rows("quantize", node, parameters, (context.rows(a["x"]),))


def rescale(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::rescale`."""
    parameters = struct(columns=shape_of(node)[-1], **context.named(a, "factor", "shift"))
    return context.by_rows("rescale", node, parameters, (context.rows(a["x"]),))


def pair(kernel: str, *tables: str) -> CallsOf:
    """The rule of `dgqc::add` or `dgqc::mul`. tables: the names of their constants."""

    def call(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
        by_rows = row_arguments(node) or ()
        sides = {name: _side(node, shape_of(a[name]), name not in by_rows) for name in ("a", "b")}
        sources = (
            context.rows(a[name]) if name in by_rows else context.places.at(a[name]) for name in ("a", "b")
        )
        parameters = struct(pair=struct(columns=shape_of(node)[-1], **sides), **context.named(a, *tables))
        return context.by_rows(kernel, node, parameters, tuple(sources))

    return call


def _side(node: fx.Node, shape: tuple[int, ...], whole: bool) -> Struct:
    """A `dgqc_side`: how one of two tensors is broadcast."""
    axes = merged_rows(shape, shape_of(node))
    if axes is None:
        raise unsupported(node, f"{shape} broadcast to {shape_of(node)}", "fewer broadcast axes")
    size, stride = axes if whole else ((1, 1, 1), (0, 0, shape[-1]))
    return struct(whole=whole, size=size, stride=stride, single=shape[-1] == 1)


def upsample_nearest(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::upsample_nearest`."""
    _, height, width, _ = shape_of(a["x"])
    sizes = {"height": height, "width": width, "out_height": a["height"], "out_width": a["width"]}
    parameters = struct(bytes=row_bytes(part(node)), **sizes)
    source = context.places.at(a["x"])
    return context.by_rows("upsample_nearest", node, parameters, (source,), kind="upsample")


def avg_pool2d(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::avg_pool2d`."""
    _, height, width, channels = shape_of(a["x"])
    sizes = {"channels": channels, "height": height, "width": width, "out_width": shape_of(node)[2]}
    parameters = struct(**sizes, kernel=a["kernel"], stride=a["stride"])
    return context.by_rows("avg_pool2d", node, parameters, (context.places.at(a["x"]),), kind="pool")
