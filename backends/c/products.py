"""Linear, convolution, matmul and attend as calls."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from ...ir.errors import DgqcError
from ...ir.scratch import arithmetic, shape_of, value_of
from .call import Call, Struct, struct, unsupported
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


def matmul(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::matmul`."""
    left, right = shape_of(a["a"]), shape_of(a["b"])
    batches, shared = _batches(node, left, right)
    parameters = struct(
        batches=batches,
        right_batches=shared,
        rows=left[-2],
        depth=left[-1],
        columns=right[-2],
        left=_operand(scope, a["a"], a["a_zero"], a["a_multiple"], a["a_group"], a["a_axis"], -1),
        right=_operand(scope, a["b"], a["b_zero"], a["b_multiple"], a["b_group"], a["b_axis"], -1),
        **scope.named(a, "factor", "shift"),
        width=a["width"],
        arithmetic=_arithmetic(node),
    )
    return Call("matmul", scope.pointers(node, a["a"], a["b"]), parameters)


def _batches(node: fx.Node, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, int]:
    """Products, and different right sides among them: as many, or one for all."""
    batches, shared = math.prod(left[:-2]), math.prod(right[:-2])
    same = left[:-2] == right[:-2] or shared == 1 or (batches == shared == 1)
    if not same:
        raise unsupported(
            node, f"batch axes {left[:-2]} and {right[:-2]}", "equal ones, or none on the right"
        )
    return batches, shared


def attend(node: fx.Node, a: dict[str, Any], scope: Scope) -> Call:
    """`dgqc::attend`."""
    codes, values = shape_of(a["codes"]), shape_of(a["values"])
    batches, shared = _batches(node, codes, values)
    parameters = struct(
        batches=batches,
        value_batches=shared,
        rows=codes[-2],
        keys=codes[-1],
        columns=values[-1],
        start=a["start"],
        shares=scope.table(a["weights"]),
        fraction=a["fraction"],
        values=_operand(scope, a["values"], a["zero"], a["multiple"], a["group"], a["axis"], -2),
        **scope.named(a, "factor", "shift"),
        arithmetic=_arithmetic(node),
    )
    sources = (a[name] for name in ("codes", "mantissa", "exponent", "first", "values"))
    return Call("attend", scope.pointers(node, *sources), parameters)
