"""The kernels of products with weights: linear and convolutions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.accumulators import WeightSums
from ....ir.arithmetic.operands import shape_of, value_of
from ....ir.errors import DgqcError
from ....ir.storage.narrow_codes import FIELDS
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, Place, Struct, struct
from .panels import NIBBLE, nibble_bytes, panels, quads_of
from .product_sums import (
    QUAD,
    SegmentSums,
    arithmetic,
    combination,
    groups_channels,
    has_image,
    is_pointwise,
)
from .runtime_header import defined
from .wide import is_wide
from .winograd import doubles_pixels, offset_bytes, takes_tiles, tile_scratch, tiled_rows

dgqc = torch.ops.dgqc

SUM_BITS, SIXTEENTH = 32, 16
PANEL = defined("DGQC_PANEL_COLUMNS")
BLOCK_ROWS = defined("DGQC_BLOCK_ROWS")
"""Rows that a kernel multiplies at once, however many it is given; a general one these, and so many
columns:"""
ROWS, COLUMNS = defined("DGQC_ROWS"), defined("DGQC_COLUMNS")


def _operand(
    context: EmissionContext, code: fx.Node, zero: Any, multiple: Any, group: Any, axis: int, summed: int
) -> Struct:
    """A `dgqc_operand`. summed: the axis that the product sums over."""
    shape, index = shape_of(code), context.group(group)
    along_depth = index is None or axis % len(shape) == summed % len(shape)
    return struct(
        zero=context.table(zero),
        multiple=context.table(multiple),
        group=index,
        groups=value_of(zero).shape[1],
        count=shape[summed if along_depth else axis],
        along_depth=along_depth,
        code_bits=8 * code.meta["val"].element_size(),
    )


def _linear(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::linear`."""
    shape = shape_of(a["x"])
    return _call("linear", node, a, context, _rows(a["x"], context), (), {
        "depth": shape[-1],
        "rows_per_sample": shape[-2] if len(shape) > 1 else 1,
        "operand": _operand(context, a["x"], a["zero"], a["multiple"], a["group"], a["axis"], -1),
    })  # fmt: skip


def _conv2d(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::conv2d`: a matrix product where the window is one pixel."""
    operand = _operand(context, a["x"], a["zero"], a["multiple"], a["group"], -1, -1)
    if is_pointwise(node):
        rows = math.prod(shape_of(a["x"])[1:-1])
        matrix = {"depth": shape_of(a["x"])[-1], "rows_per_sample": rows, "operand": operand}
        return _call("linear", node, a, context, _rows(a["x"], context), (), matrix)
    image, fields = (context.places.at(a["x"]),), {"window": _window(node, a), "operand": operand}
    if not takes_tiles(node):
        return _call("conv2d", node, a, context, image, image, fields)
    doubled = {"doubled": 1} if doubles_pixels(node) else {}
    return _call("winograd", node, a, context, image, image, {**fields, **doubled})


def _conv2d_pixel(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::conv2d_pixel`."""
    patches = struct(
        window=_window(node, a),
        multiplier=context.table(a["quantize_multiplier"]),
        offset=context.table(a["quantize_offset"]),
        shift=context.table(a["quantize_shift"]),
        bits=a["bits"],
        operand=struct(
            zero=context.table(a["zero"]),
            multiple=context.table(a["multiple"]),
            group=context.group(a["group"]),
            groups=value_of(a["zero"]).shape[1],
            count=value_of(a["group"]).numel(),
            along_depth=0,
            code_bits=8,
        ),
    )
    image = (context.places.at(a["x"]),)
    return _call("conv2d_pixel", node, a, context, image, (), {"patches": patches})


def _call(
    kernel: str,
    node: fx.Node,
    a: dict[str, Any],
    context: EmissionContext,
    sources: tuple[Place, ...],
    whole: tuple[Place, ...],
    fields: dict[str, Any],
) -> KernelCall:
    """The kernel of 8-bit codes, or the general one where the node needs it."""
    found = combination(node)
    if found is None:
        parameters = struct(**fields, weights=_weights(context, a, None), arithmetic=_arithmetic(node))
        return context.by_rows(f"{kernel}_general", node, parameters, sources)
    ends = torch.tensor(found.ends, dtype=torch.int32)
    sums = struct(
        segments=len(found.segments),
        row_bytes=found.row_bytes,
        total_bits=found.total_bits,
        absorbs=found.absorbs,
        accumulations=len(found.ends),
        ends=context.constants.add(ends) if len(found.ends) > 1 else None,
    )
    parameters = struct(**fields, weights=_weights(context, a, found), combination=sums)
    kind = "conv2d" if kernel == "winograd" else ""
    return context.by_rows(kernel, node, parameters, () if whole else sources, kind=kind, whole=whole)


def _arithmetic(node: fx.Node) -> Struct:
    carried = arithmetic(node)
    wide = {"wide": 1} if is_wide(node) else {}
    plain = {"plain": 1} if carried.plain else {}
    return struct(narrow=carried.narrow, block=carried.block, **wide, **plain)


def _rows(x: fx.Node, context: EmissionContext) -> tuple[Place, ...]:
    return (context.rows(x),)


def _weights(context: EmissionContext, a: dict[str, Any], segments: SegmentSums | None) -> Struct:
    """A `dgqc_weights`. segments: of the summed axis, where a kernel takes it by segments."""
    weight = value_of(a["weight"])
    bits = context.weight_bits.get(str(a["weight"].target), 8)
    if bits in FIELDS and not fits(weight, bits):
        found, half = f"{int(weight.amin())} .. {int(weight.amax())}", 2 ** (bits - 1)
        raise DgqcError(
            f"The weight {a['weight'].target} holds {found}, but is declared {bits} bits wide; declare 8 or "
            f"keep it in {-half} .. {half - 1}."
        )
    return struct(
        panels=struct(
            data=context.constants.add(panels(weight, bits)),
            columns=weight.shape[0],
            quads=quads_of(weight),
            bits=bits,
        ),
        **context.named(a, "column", "factor", "shift", "bias", "bias_factor", "bias_shift"),
        sums=context.constants.add(segment_sums(weight, segments))
        if segments and sums_pay(weight, bits, segments)
        else None,
    )


def fits(weight: torch.Tensor, bits: int) -> bool:
    """Whether so many bits hold all its codes."""
    half = 1 << bits - 1
    return -half <= int(weight.amin()) and int(weight.amax()) < half


def _widened(weight: torch.Tensor) -> tuple[int, ...]:
    """What weights below 4 bits take as nibbles. Their width isn't said here: whatever fits has room."""
    return (nibble_bytes(weight),) if fits(weight, NIBBLE - 1) else ()


def segment_sums(weight: torch.Tensor, segments: SegmentSums) -> torch.Tensor:
    """What the weights of each segment add up to, over all taps: int32 (segments, N). weight: int8 (N, ...,
    C)."""
    return WeightSums.of(weight, segments.of_channels, len(segments.segments)).total.to(torch.int32)


def sums_pay(weight: torch.Tensor, bits: int, segments: SegmentSums) -> bool:
    """Whether their sums take at most a sixteenth of what the weights take; a call then spares reading them
    once more."""
    return SUM_BITS * weight.shape[0] * len(segments.segments) * SIXTEENTH <= weight.numel() * bits


def _window(node: fx.Node, a: dict[str, Any]) -> Struct:
    (images, height, width, channels), kernel = shape_of(a["x"]), value_of(a["weight"]).shape
    return struct(
        channels=channels,
        height=height,
        width=width,
        kernel_height=kernel[1],
        kernel_width=kernel[2],
        stride_height=a["stride"][0],
        stride_width=a["stride"][-1],
        padding_height=a["padding"][0],
        padding_width=a["padding"][-1],
        out_height=shape_of(node)[1],
        out_width=shape_of(node)[2],
        images=images,
    )


def _rows_of_conv2d(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    return ("x",) if is_pointwise(node) else ()


def _image_of_conv2d(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    """An image is read once, into the one with a halo."""
    return ("x",) if has_image(node) and combination(node) is not None else ()


def _shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """What `dgqc_product_prepare` or `dgqc_general_prepare` takes, then a convolution's image."""
    weight, found = value_of(a["weight"]), combination(node)
    padded = -(-weight.shape[0] // PANEL) * PANEL
    if found is None:
        count = weight.shape[-1] if groups_channels(node) else value_of(a["group"]).numel()
        general = (defined("DGQC_GENERAL_BYTES"), 4 * padded, 8 * padded, 4 * count, 4 * count)
        return (*general, *_widened(weight))
    sums = () if groups_channels(node) else (4 * padded,)
    segments, taps = len(found.segments), math.prod(weight.shape[1:-1])
    orders = (defined("DGQC_SEGMENT_BYTES") * segments, 4 * segments, 4 * segments)
    runs = defined("DGQC_RUN_BYTES") * segments * taps
    blocks = defined("DGQC_ACCUMULATION_BYTES") * len(found.ends)
    image = (_image_bytes(a, found.row_bytes),) if has_image(node) else ()
    quads = found.channel_quads
    tables = (defined("DGQC_MULTIPLIED_BYTES") * quads, quads) if found.absorbs else ()
    per_column = (4 * padded, 8 * padded, *sums)
    offsets = (offset_bytes(node),) if takes_tiles(node) else ()
    return (
        defined("DGQC_PRODUCT_BYTES"),
        *_widened(weight),
        *per_column,
        *orders,
        found.row_bytes,
        runs,
        blocks,
        *tables,
        *offsets,
        *image,
    )


def _scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    found = combination(node)
    if found is None:
        return _scratch_of_general(node, a, min(rows, ROWS))
    if has_image(node):
        return tile_scratch(node, found.row_bytes) if takes_tiles(node) else ()
    if node.target is dgqc.conv2d_pixel.default:
        return (min(rows, BLOCK_ROWS) * found.row_bytes * math.prod(value_of(a["weight"]).shape[1:-1]),)
    # A kernel takes scratch memory always or never.
    return (1 if found.is_spread else min(rows, BLOCK_ROWS) * found.row_bytes,)


def _scratch_of_general(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    weight, carried = value_of(a["weight"]), arithmetic(node)
    value = 2 if carried.narrow else 4
    depth = math.prod(weight.shape[1:-1]) * -(-weight.shape[-1] // QUAD) * QUAD
    codes = (depth,) if node.target is dgqc.conv2d_pixel.default else ()
    as_they_lie = carried.plain and not has_image(node) and depth == weight.shape[-1]
    values = () if as_they_lie else (rows * depth * value,)
    return (*values, *codes, COLUMNS * depth * value)


def _image_bytes(a: dict[str, Any], pixel: int) -> int:
    """The images with their halos."""
    images, height, width, _ = shape_of(a["x"])
    vertical, horizontal = a["padding"]
    return int(images * (height + 2 * vertical) * (width + 2 * horizontal)) * pixel


KERNELS = (
    Kernel(dgqc.linear.default, _linear, by_rows("x"), _shared, _scratch),
    Kernel(
        dgqc.conv2d.default,
        _conv2d,
        _rows_of_conv2d,
        _shared,
        _scratch,
        _image_of_conv2d,
        together=tiled_rows,
    ),
    # Patches of one image overlap, so it is read whole.
    Kernel(dgqc.conv2d_pixel.default, _conv2d_pixel, by_rows(), _shared, _scratch),
)
