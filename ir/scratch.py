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

from .checks import arguments
from .errors import DgqcError
from .memory import aligned
from .program import Program
from .shapes import propagated
from .tensors import constant

aten, dgqc = torch.ops.aten, torch.ops.dgqc

ROWS = 32
"""Rows of operands that a product kernel prepares at once."""
COLUMNS = 4
"""Columns that a product kernel computes at once."""
SMALLEST_BLOCK = 16
"""With fewer products than this to an int32 sum the narrow kernel isn't worth it."""
PLANE = 8
"""Bits of a share's lower plane: shares below 2^23 are carried as two int16 planes."""

_MOVES = (
    aten.reshape.default,
    aten.permute.default,
    aten.slice.Tensor,
    dgqc.gather.default,
    dgqc.upsample_nearest.default,
)


@dataclass(frozen=True)
class Arithmetic:
    """How a product's sum is carried.

    narrow: operands fit int16 and `block` products at a time fit int32; otherwise operands are int32 and
        sums int64.
    block: 1 .. depth.
    """

    narrow: bool
    block: int


@dataclass(frozen=True)
class Values:
    """What an operand's values, multiple * (code - zero), lie between.

    low, high: int64 (K,) along the summed axis, or (1,) where one bound holds for all of it.
    """

    low: torch.Tensor
    high: torch.Tensor

    @property
    def reach(self) -> torch.Tensor:
        """Largest magnitudes, float64."""
        return torch.maximum(self.low.abs(), self.high.abs()).to(torch.float64)

    @property
    def fit_int16(self) -> bool:
        return int(self.low.amin()) >= -32768 and int(self.high.amax()) <= 32767


def value_of(node: Any) -> torch.Tensor:
    """The tensor behind a `get_attr` node. Raises DgqcError for any other node."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        raise DgqcError(f"{node} must be a constant of the integer graph (a get_attr node).")
    owner = node.graph.owning_module
    assert owner is not None
    return constant(owner, str(node.target)).detach()


def ensure_shapes(program: Program) -> None:
    """Sets `node.meta["val"]` on every node of the graph that lacks it."""
    nodes = program.graph.graph.nodes
    if any("val" not in node.meta for node in nodes if node.op != "output"):
        for node, value in propagated(program).items():
            node.meta["val"] = value


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's value, from `node.meta["val"]`."""
    return tuple(int(size) for size in node.meta["val"].shape)


def code_range(node: fx.Node) -> tuple[int, int]:
    """Smallest and largest code of a product's operand: its quantizer's, where that can be seen."""
    if node.op == "call_function":
        if node.target is dgqc.quantize.default:
            return 0, 2 ** int(arguments(node)["bits"]) - 1
        if node.target in _MOVES:
            return code_range(node.all_input_nodes[0])
    return (0, 255) if node.meta["val"].dtype == torch.uint8 else (-32768, 32767)


def between(codes: tuple[int, int], zero: torch.Tensor, multiple: torch.Tensor) -> Values:
    """Bounds of each group over all steps. zero, multiple: int32 (T, G)."""
    z, m = zero.to(torch.int64), multiple.to(torch.int64)
    return Values((m * (codes[0] - z)).amin(dim=0), (m * (codes[1] - z)).amax(dim=0))


def _operand(code: fx.Node, zero: Any, multiple: Any, group: Any, axis: int, summed: int) -> Values:
    """Bounds along the summed axis where groups lie along it, else one for all of it."""
    groups = between(code_range(code), value_of(zero), value_of(multiple))
    axes = code.meta["val"].dim()
    if axis % axes == summed % axes:
        index = value_of(group).to(torch.int64)
        return Values(groups.low[index], groups.high[index])
    return Values(groups.low.amin().reshape(1), groups.high.amax().reshape(1))


def arithmetic(node: fx.Node) -> Arithmetic:
    """How the sum of a linear, convolution, matmul or attend node is carried, from its actual tables.

    Raises DgqcError where an operand needs more than 32 bits.
    """
    a = arguments(node)
    if node.target is dgqc.matmul.default:
        left = _operand(a["a"], a["a_zero"], a["a_multiple"], a["a_group"], a["a_axis"], -1)
        right = _operand(a["b"], a["b_zero"], a["b_multiple"], a["b_group"], a["b_axis"], -1)
        depth = shape_of(a["a"])[-1]
        return _carry(node, left, right, depth, float((left.reach * right.reach).expand(depth).sum()))
    if node.target is dgqc.attend.default:
        values = _operand(a["values"], a["zero"], a["multiple"], a["group"], a["axis"], -2)
        depth = shape_of(a["codes"])[-1]
        # Shares enter negated, so that 2^15, in the upper plane, fits int16.
        largest = value_of(a["weights"]).to(torch.int64).amax().reshape(1)
        if int(a["fraction"]) > 15:
            largest = torch.clamp(largest >> PLANE, min=2**PLANE - 1)
        # `values` may hold the start token's bound as well, which can't make the sum smaller.
        total = float((largest * values.reach).expand(max(depth, values.reach.numel())).sum())
        return _carry(node, values, Values(-largest, torch.zeros_like(largest)), depth, total)
    weight = value_of(a["weight"]).to(torch.int64)
    # Taps of one channel share its bound.
    rows = weight.abs().double().reshape(weight.shape[0], -1, weight.shape[-1]).sum(dim=1)
    depth = math.prod(weight.shape[1:])
    if node.target is dgqc.linear.default:
        operand = _operand(a["x"], a["zero"], a["multiple"], a["group"], a["axis"], -1)
    elif node.target is dgqc.conv2d.default:
        operand = _operand(a["x"], a["zero"], a["multiple"], a["group"], -1, -1)
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


_SHARED: dict[Any, Callable[[fx.Node, dict[str, Any]], tuple[int, ...]]] = {
    dgqc.quantize.default: _quantize,
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


def _matmul(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    value, left, right = _value_bytes(node), shape_of(a["a"]), shape_of(a["b"])
    a_table, b_table = 4 * max(left[-1], left[a["a_axis"]]), 4 * max(right[-1], right[a["b_axis"]])
    return (a_table, a_table, b_table, b_table, ROWS * left[-1] * value, right[-1] * right[-2] * value)


def _attend(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    value, values = _value_bytes(node), shape_of(a["values"])
    table = 4 * max(values[-2], values[a["axis"]])
    # Two planes of int16 take as much as one of int32.
    return (table, table, ROWS * shape_of(a["codes"])[-1] * 4, values[-1] * values[-2] * value)


def _softmax(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    return (8 * math.prod(shape_of(a["logits"])[:-1]),)


def _norm(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    channels = value_of(a["gamma"]).numel()
    return (4 * channels, 8 * channels)


_SCRATCH: dict[Any, Callable[[fx.Node, dict[str, Any], int], tuple[int, ...]]] = {
    dgqc.linear.default: _linear,
    dgqc.conv2d.default: _convolution,
    dgqc.conv2d_pixel.default: _convolution,
    dgqc.matmul.default: _matmul,
    dgqc.attend.default: _attend,
    dgqc.softmax_log2.default: _softmax,
    dgqc.softmax_uniform.default: _softmax,
    dgqc.group_norm.default: _norm,
    dgqc.layer_norm.default: _norm,
}
"""What a kernel cuts off its scratch memory for blocks of `rows` rows."""
