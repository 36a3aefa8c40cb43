"""What a kernel needs beyond its operands: how wide it carries sums, how much scratch memory it takes.

Both follow from a node of the integer graph and its actual tables alone, so that memory planning and code
emission agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from . import scratch_attention
from .checks import arguments
from .errors import DgqcError
from .memory import aligned
from .operands import Values, between, ensure_shapes, operand_values, shape_of, value_of

__all__ = [
    "Arithmetic",
    "arithmetic",
    "ensure_shapes",
    "scratch_bytes",
    "shape_of",
    "shared_bytes",
    "value_of",
]

dgqc = torch.ops.dgqc

ROWS = 32
"""Rows of operands that a product kernel prepares at once."""
COLUMNS = 4
"""Columns that a product kernel computes at once."""
STRIP = 16
"""Channels to a table of a norm."""
SMALLEST_BLOCK = 16
"""With fewer products than this to an int32 sum the narrow kernel isn't worth it."""


@dataclass(frozen=True)
class Arithmetic:
    """How a product's sum is carried.

    narrow: operands fit int16 and `block` products at a time fit int32; otherwise operands are int32 and
        sums int64.
    block: 1 .. depth.
    """

    narrow: bool
    block: int


def arithmetic(node: fx.Node) -> Arithmetic:
    """How the sum of a linear or convolution node is carried, from its actual tables.

    Raises DgqcError where an operand needs more than 32 bits.
    """
    a = arguments(node)
    weight = value_of(a["weight"]).to(torch.int64)
    # Taps of one channel share its bound.
    rows = weight.abs().double().reshape(weight.shape[0], -1, weight.shape[-1]).sum(dim=1)
    depth = math.prod(weight.shape[1:])
    if node.target is dgqc.linear.default:
        operand = operand_values(a["x"], a["zero"], a["multiple"], a["group"], a["axis"], -1)
    elif node.target is dgqc.conv2d.default:
        operand = operand_values(a["x"], a["zero"], a["multiple"], a["group"], -1, -1)
    else:
        groups = between((0, 2 ** int(a["bits"]) - 1), value_of(a["zero"]), value_of(a["multiple"]))
        operand = Values(groups.low.amin().reshape(1), groups.high.amax().reshape(1))
    total = float((rows @ operand.reach.expand(rows.shape[1])).amax())
    return _carry(node, operand, Values(weight.amin().reshape(1), weight.amax().reshape(1)), depth, total)


def _carry(node: fx.Node, left: Values, right: Values, depth: int, total: float) -> Arithmetic:
    """total: a bound on the whole sum of magnitudes."""
    reaches = int(left.reach.amax()), int(right.reach.amax())
    if max(reaches) >= 2**31:
        raise DgqcError(
            f"{node.name}: an operand reaches {max(reaches)}, but kernels hold operands in 32 bits; the"
            " scales of its groups must lie closer together."
        )
    block = depth if total < 2**31 else min(depth, (2**31 - 1) // max(1, reaches[0] * reaches[1]))
    narrow = left.fit_int16 and right.fit_int16 and block >= min(depth, SMALLEST_BLOCK)
    return Arithmetic(narrow, max(1, block))


def shared_bytes(node: fx.Node) -> int:
    """Bytes that a node's kernel prepares once a call, for all rows and threads to read; 0 where it prepares
    nothing."""
    sizes = _SHARED.get(node.target)
    return 0 if sizes is None else _taken(sizes(node, arguments(node)))


def scratch_bytes(node: fx.Node, rows: int) -> int:
    """Bytes of scratch memory that a node's kernel needs for blocks of so many rows; 0 for ops without
    any."""
    sizes = _SCRATCH.get(node.target)
    return 0 if sizes is None else _taken(sizes(node, arguments(node), rows))


def _taken(sizes: tuple[int, ...]) -> int:
    """A kernel cuts its buffers off its memory one after another, each rounded up (`dgqc_take`)."""
    return sum(aligned(size) for size in sizes)


def _value_bytes(node: fx.Node) -> int:
    return 2 if arithmetic(node).narrow else 4


def _quantize(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    return (4 * shape_of(a["x"])[a["axis"]],) * 3


def _group_norm(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    return (-(-shape_of(node)[-1] // STRIP) * (STRIP * (4 * 8 + 5 * 4) + 8),)


def _layer_norm(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    return 8, -(-shape_of(node)[-1] // STRIP) * STRIP * (4 + 2 * 8)


_SHARED: dict[Any, Callable[[fx.Node, dict[str, Any]], tuple[int, ...]]] = {
    dgqc.quantize.default: _quantize,
    dgqc.group_norm.default: _group_norm,
    dgqc.layer_norm.default: _layer_norm,
    dgqc.matmul.default: scratch_attention.matmul_shared,
    dgqc.attend.default: scratch_attention.attend_shared,
    dgqc.softmax_log2.default: scratch_attention.softmax_shared,
    dgqc.softmax_uniform.default: scratch_attention.softmax_shared,
}
"""What `dgqc_*_begin` cuts off its shared memory."""


def _linear(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    value, (columns, depth) = _value_bytes(node), value_of(a["weight"]).shape
    tables = (4 * max(depth, shape_of(a["x"])[a["axis"]]),) * 2
    return (8 * columns, 8 * columns, *tables, ROWS * depth * value, COLUMNS * depth * value)


def _convolution(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    value, (columns, height, width, channels) = _value_bytes(node), value_of(a["weight"]).shape
    depth = channels * height * width
    row = (shape_of(a["x"])[2] + 2 * a["padding"][1]) * channels
    if node.target is dgqc.conv2d_pixel.default:
        gathered: tuple[int, ...] = (2 * height * row, 2 * depth)
    else:
        gathered = (4 * channels, 4 * channels, value * height * row)
    return (8 * columns, 8 * columns, *gathered, ROWS * depth * value, COLUMNS * depth * value)


_SCRATCH: dict[Any, Callable[[fx.Node, dict[str, Any], int], tuple[int, ...]]] = {
    dgqc.linear.default: _linear,
    dgqc.conv2d.default: _convolution,
    dgqc.conv2d_pixel.default: _convolution,
    dgqc.matmul.default: scratch_attention.matmul_scratch,
    dgqc.attend.default: scratch_attention.attend_scratch,
}
"""What a kernel cuts off its scratch memory for blocks of `rows` rows."""
