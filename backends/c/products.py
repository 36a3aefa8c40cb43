"""Linear and convolution as calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...ir.arithmetic.operands import shape_of, value_of
from ...ir.errors import DgqcError
from .call import Call, Place, Struct, struct
from .kernels.product_sums import Combination, arithmetic, combination
from .layout.rows import is_pointwise
from .panels import panels, quads_of
from .scope import Scope

SUM_BITS, SIXTEENTH = 32, 16


def _operand(
    scope: Scope, code: fx.Node, zero: Any, multiple: Any, group: Any, axis: int, summed: int
) -> Struct:
    """A `dgqc_operand`. summed: the axis that the product sums over."""
    shape, index = shape_of(code), scope.group(group)
    along_depth = index is None or axis % len(shape) == summed % len(shape)
    return struct(
        zero=scope.table(zero),
        multiple=scope.table(multiple),
        group=index,
        groups=value_of(zero).shape[1],
        count=shape[summed if along_depth else axis],
        along_depth=along_depth,
        code_bits=8 * code.meta["val"].element_size(),
    )


def linear(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::linear`."""
    shape = shape_of(a["x"])
    return _call("linear", node, a, scope, _rows(a["x"], scope), (), {
        "depth": shape[-1],
        "rows_per_sample": shape[-2] if len(shape) > 1 else 1,
        "operand": _operand(scope, a["x"], a["zero"], a["multiple"], a["group"], a["axis"], -1),
    })  # fmt: skip


def conv2d(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::conv2d`: a matrix product where the window is one pixel."""
    operand = _operand(scope, a["x"], a["zero"], a["multiple"], a["group"], -1, -1)
    if is_pointwise(node):
        matrix = {"depth": shape_of(a["x"])[-1], "rows_per_sample": 1, "operand": operand}
        return _call("linear", node, a, scope, _rows(a["x"], scope), (), matrix)
    image = (scope.memory.at(a["x"]),)
    return _call("conv2d", node, a, scope, image, image, {"window": _window(node, a), "operand": operand})


def conv2d_pixel(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::conv2d_pixel`."""
    patches = struct(
        window=_window(node, a),
        multiplier=scope.table(a["quantize_multiplier"]),
        offset=scope.table(a["quantize_offset"]),
        shift=scope.table(a["quantize_shift"]),
        bits=a["bits"],
        operand=struct(
            zero=scope.table(a["zero"]),
            multiple=scope.table(a["multiple"]),
            group=scope.group(a["group"]),
            groups=value_of(a["zero"]).shape[1],
            count=value_of(a["group"]).numel(),
            along_depth=0,
            code_bits=8,
        ),
    )
    image = (scope.memory.at(a["x"]),)
    return _call("conv2d_pixel", node, a, scope, image, (), {"patches": patches})


def _call(
    kernel: str,
    node: fx.Node,
    a: dict[str, Any],
    scope: Scope,
    sources: tuple[Place, ...],
    whole: tuple[Place, ...],
    fields: dict[str, Any],
) -> Call:
    """The kernel of 8-bit codes, or the general one where the node needs it."""
    found = combination(node)
    if found is None:
        parameters = struct(**fields, weights=_weights(scope, a, None), arithmetic=_arithmetic(node))
        return scope.by_rows(f"{kernel}_general", node, parameters, sources)
    ends = torch.tensor(found.ends, dtype=torch.int32)
    sums = struct(
        spans=len(found.spans),
        row_bytes=found.row_bytes,
        total_bits=found.total_bits,
        stretches=len(found.ends),
        ends=scope.tables.add(ends) if len(found.ends) > 1 else None,
    )
    parameters = struct(**fields, weights=_weights(scope, a, found), combination=sums)
    return scope.by_rows(kernel, node, parameters, () if whole else sources, whole=whole)


def _arithmetic(node: fx.Node) -> Struct:
    carried = arithmetic(node)
    return struct(narrow=carried.narrow, block=carried.block)


def _rows(x: fx.Node, scope: Scope) -> tuple[Place, ...]:
    return (scope.rows(x),)


def _weights(scope: Scope, a: dict[str, Any], spans: Combination | None) -> Struct:
    """A `dgqc_weights`. spans: of the summed axis, where a kernel takes it by spans."""
    weight = value_of(a["weight"])
    bits = scope.weight_bits.get(str(a["weight"].target), 8)
    if bits == 4 and (int(weight.amin()) < -8 or int(weight.amax()) > 7):
        found = f"{a['weight'].target} holds {int(weight.amin())} .. {int(weight.amax())}"
        raise DgqcError(f"The weight {found}, but is declared 4 bits wide; declare 8 or keep it in -8 .. 7.")
    return struct(
        panels=struct(
            data=scope.tables.add(panels(weight, bits)),
            columns=weight.shape[0],
            quads=quads_of(weight),
            bits=bits,
        ),
        **scope.named(a, "column", "factor", "shift", "bias", "bias_factor", "bias_shift"),
        sums=scope.tables.add(span_sums(weight, spans)) if spans and sums_pay(weight, bits, spans) else None,
    )


def span_sums(weight: torch.Tensor, spans: Combination) -> torch.Tensor:
    """What the weights of each span add up to, over all taps: int32 (spans, N). weight: int8 (N, ..., C)."""
    channels = weight.flatten(1, -2).sum(dim=1, dtype=torch.int32) if weight.ndim > 2 else weight
    return torch.stack(
        [channels[:, first : first + count].sum(dim=1, dtype=torch.int32) for first, count in spans.spans]
    )


def sums_pay(weight: torch.Tensor, bits: int, spans: Combination) -> bool:
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
