"""Linear and convolution as calls."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from ...ir.errors import DgqcError
from ...ir.scratch import arithmetic, shape_of, value_of
from .call import Call, Struct, struct
from .scope import Scope
from .tables import packed


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


def _weights(scope: Scope, a: dict[str, Any]) -> Struct:
    """A `dgqc_weights`."""
    weight = value_of(a["weight"])
    rows = weight.reshape(weight.shape[0], -1)
    bits = scope.weight_bits.get(str(a["weight"].target), 8)
    if bits == 4 and (int(rows.amin()) < -8 or int(rows.amax()) > 7):
        found = f"{a['weight'].target} holds {int(rows.amin())} .. {int(rows.amax())}"
        raise DgqcError(f"The weight {found}, but is declared 4 bits wide; declare 8 or keep it in -8 .. 7.")
    return struct(
        weight=scope.tables.add(packed(rows) if bits == 4 else rows),
        weight_bits=bits,
        columns=rows.shape[0],
        depth=rows.shape[1],
        **scope.named(a, "column", "factor", "shift", "bias", "bias_factor", "bias_shift"),
    )


def _arithmetic(node: fx.Node) -> Struct:
    carried = arithmetic(node)
    return struct(narrow=carried.narrow, block=carried.block)


def linear(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::linear`."""
    shape = shape_of(a["x"])
    parameters = struct(
        rows=math.prod(shape[:-1]),
        rows_per_sample=shape[-2] if len(shape) > 1 else 1,
        operand=_operand(scope, a["x"], a["zero"], a["multiple"], a["group"], a["axis"], -1),
        weights=_weights(scope, a),
        arithmetic=_arithmetic(node),
    )
    return Call("linear", scope.pointers(node, a["x"]), parameters)


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


def conv2d(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::conv2d`."""
    parameters = struct(
        window=_window(node, a),
        operand=_operand(scope, a["x"], a["zero"], a["multiple"], a["group"], -1, -1),
        weights=_weights(scope, a),
        arithmetic=_arithmetic(node),
    )
    return Call("conv2d", scope.pointers(node, a["x"]), parameters)


def conv2d_pixel(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::conv2d_pixel`."""
    operand = struct(
        zero=scope.table(a["zero"]),
        multiple=scope.table(a["multiple"]),
        group=scope.group(a["group"]),
        groups=value_of(a["zero"]).shape[1],
        count=value_of(a["group"]).numel(),
        along_depth=0,
        code_bits=8,
    )
    parameters = struct(
        window=_window(node, a),
        multiplier=scope.table(a["quantize_multiplier"]),
        offset=scope.table(a["quantize_offset"]),
        shift=scope.table(a["quantize_shift"]),
        bits=a["bits"],
        operand=operand,
        weights=_weights(scope, a),
        arithmetic=_arithmetic(node),
    )
    return Call("conv2d_pixel", scope.pointers(node, a["x"]), parameters)
