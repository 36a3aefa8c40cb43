"""Linear and convolution as calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from ....ir.errors import DgqcError
from ..layout.rows import is_pointwise
from .context import EmissionContext
from .kernel_call import KernelCall, Place, Struct, struct
from .panels import panels, quads_of
from .product_sums import SegmentSums, arithmetic, combination

SUM_BITS, SIXTEENTH = 32, 16


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


def linear(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::linear`."""
    shape = shape_of(a["x"])
    return _call("linear", node, a, context, _rows(a["x"], context), (), {
        "depth": shape[-1],
        "rows_per_sample": shape[-2] if len(shape) > 1 else 1,
        "operand": _operand(context, a["x"], a["zero"], a["multiple"], a["group"], a["axis"], -1),
    })  # fmt: skip


def conv2d(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::conv2d`: a matrix product where the window is one pixel."""
    operand = _operand(context, a["x"], a["zero"], a["multiple"], a["group"], -1, -1)
    if is_pointwise(node):
        matrix = {"depth": shape_of(a["x"])[-1], "rows_per_sample": 1, "operand": operand}
        return _call("linear", node, a, context, _rows(a["x"], context), (), matrix)
    image = (context.places.at(a["x"]),)
    return _call("conv2d", node, a, context, image, image, {"window": _window(node, a), "operand": operand})


def conv2d_pixel(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
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
        spans=len(found.spans),
        row_bytes=found.row_bytes,
        total_bits=found.total_bits,
        stretches=len(found.ends),
        ends=context.constants.add(ends) if len(found.ends) > 1 else None,
    )
    parameters = struct(**fields, weights=_weights(context, a, found), combination=sums)
    return context.by_rows(kernel, node, parameters, () if whole else sources, whole=whole)


def _arithmetic(node: fx.Node) -> Struct:
    carried = arithmetic(node)
    return struct(narrow=carried.narrow, block=carried.block)


def _rows(x: fx.Node, context: EmissionContext) -> tuple[Place, ...]:
    return (context.rows(x),)


def _weights(context: EmissionContext, a: dict[str, Any], spans: SegmentSums | None) -> Struct:
    """A `dgqc_weights`. spans: of the summed axis, where a kernel takes it by spans."""
    weight = value_of(a["weight"])
    bits = context.weight_bits.get(str(a["weight"].target), 8)
    if bits == 4 and (int(weight.amin()) < -8 or int(weight.amax()) > 7):
        found = f"{a['weight'].target} holds {int(weight.amin())} .. {int(weight.amax())}"
        raise DgqcError(f"The weight {found}, but is declared 4 bits wide; declare 8 or keep it in -8 .. 7.")
    return struct(
        panels=struct(
            data=context.constants.add(panels(weight, bits)),
            columns=weight.shape[0],
            quads=quads_of(weight),
            bits=bits,
        ),
        **context.named(a, "column", "factor", "shift", "bias", "bias_factor", "bias_shift"),
        sums=context.constants.add(span_sums(weight, spans))
        if spans and sums_pay(weight, bits, spans)
        else None,
    )


def span_sums(weight: torch.Tensor, spans: SegmentSums) -> torch.Tensor:
    """What the weights of each span add up to, over all taps: int32 (spans, N). weight: int8 (N, ..., C)."""
    channels = weight.flatten(1, -2).sum(dim=1, dtype=torch.int32) if weight.ndim > 2 else weight
    return torch.stack(
        [channels[:, first : first + count].sum(dim=1, dtype=torch.int32) for first, count in spans.spans]
    )


def sums_pay(weight: torch.Tensor, bits: int, spans: SegmentSums) -> bool:
    """Whether their sums take at most a sixteenth of what the weights take; a call then spares reading them
    once more."""
    return SUM_BITS * weight.shape[0] * len(spans.spans) * SIXTEENTH <= weight.numel() * bits


def _window(node: fx.Node, a: dict[str, Any]) -> Struct:
    (_, height, width, channels), kernel = shape_of(a["x"]), value_of(a["weight"]).shape
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
    )
