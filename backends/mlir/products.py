"""`dgqc::linear`, `dgqc::conv2d`, `dgqc::conv2d_pixel`, `dgqc::matmul`: a contraction, an epilogue."""

from __future__ import annotations

import math

import torch
from torch_mlir import ir

from ...ir.operands import code_range
from .builder import Builder, Call
from .contraction import Bound, contracted
from .fixed_point import round_shift, saturate
from .number import Number
from .operands import Codes, Side, stored
from .requantize import ColumnSums, requantized
from .tensors import Reader, Reads, each, reduced, reshaped, shape_of
from .windows import border_patterns, patches


def codes_of(
    b: Builder, call: Call, name: str, summed: int, prefix: str = "", axis: int | None = None
) -> Codes:
    """An operand with its tables. axis: that of its groups where the op doesn't say."""
    low, high = code_range(call.node_of(name))
    zero, multiple, group = (call[f"{prefix}{what}"] for what in ("zero", "multiple", "group"))
    place = call[f"{prefix}axis"] if axis is None else axis
    return Codes(b.value(call, name), low, high, zero, multiple, group, place, summed)


def linear(b: Builder, call: Call) -> ir.Value:
    """x (..., M, K) times weight (N, K)."""
    side = stored(b, codes_of(b, call, "x", -1))
    shape = shape_of(side.stored)
    rows = reshaped(side.stored, [math.prod(shape[:-1]), shape[-1]])
    found = _times_weight(b, call, rows, side, math.prod(shape[:-2]), None)
    return reshaped(found, [*shape[:-1], shape_of(found)[1]])


def conv2d(b: Builder, call: Call) -> ir.Value:
    """x (1, H, W, C) with weight (N, kh, kw, C): a row for each output position.

    Zeros around the image are stored as 0; where that is not the value 0, borders have column sums of
    their own.
    """
    side = stored(b, codes_of(b, call, "x", -1, axis=-1))
    kernel, stride, padding = call["weight"].shape[1:3], call["stride"], call["padding"]
    image = reshaped(side.stored, shape_of(side.stored)[1:])
    rows, size = patches(image, kernel, stride, padding)
    pattern = border_patterns(shape_of(image)[:2], size, kernel, stride, padding)
    return reshaped(_times_weight(b, call, rows, side, 1, pattern), [1, *size, call["weight"].shape[0]])


def conv2d_pixel(b: Builder, call: Call) -> ir.Value:
    """x int16 (1, H, W, C): patches are quantized with the group of their output position."""
    kernel, stride, padding = call["weight"].shape[1:3], call["stride"], call["padding"]
    x = b.value(call, "x")
    values, size = patches(reshaped(x, shape_of(x)[1:]), kernel, stride, padding)
    last = 2 ** int(call["bits"]) - 1
    reads = Reads()
    value = reads.of(values, (0, 1))
    tables = [call[f"quantize_{what}"] for what in ("multiplier", "offset", "shift")]
    m, r, s = (reads.of(b.spread(table, call["group"]), (0,)) for table in tables)

    def body(*n: Number) -> Number:
        return ((value(n).to(32) * m(n) + r(n)) >> s(n)).clamp(0, last).to(8)

    codes = each(shape_of(values), 8, reads.operands, body)
    side = stored(b, Codes(codes, 0, last, call["zero"], call["multiple"], call["group"], 0, 1))
    found = _times_weight(b, call, side.stored, side, 1, None)
    return reshaped(found, [1, *size, call["weight"].shape[0]])


def _times_weight(
    b: Builder, call: Call, rows: ir.Value, side: Side, batch: int, pattern: torch.Tensor | None
) -> ir.Value:
    """rows (M, K) of the side's stored values times a weight of which each column has K entries: i16 (M, N).

    batch: how often the side's row groups repeat. pattern: bool (M, taps), which taps lie inside the image.
    """
    weight = call["weight"]
    taps = weight.reshape(weight.shape[0], -1, weight.shape[-1])
    by_channel = taps.abs().sum(dim=1, dtype=torch.int64).to(torch.float64)
    total = float((by_channel @ side.reach.expand(by_channel.shape[1])).amax())
    # A code that is stored with an offset stays as large where the offset doesn't apply.
    bound = Bound(total, float(side.reach.amax()) * float(weight.abs().amax()))
    flat = b.constant(weight.reshape(weight.shape[0], -1))
    sums = contracted(rows, flat, bound)
    columns = _column_sums(taps.sum(dim=2, dtype=torch.int32), pattern)
    scale, offset = (one.repeated(batch) if one else None for one in (side.scale, side.offset))
    return requantized(b, call, sums, scale, offset, columns)


def _column_sums(by_tap: torch.Tensor, pattern: torch.Tensor | None) -> ColumnSums:
    """by_tap: int32 (N, taps). pattern: as above."""
    if pattern is None or bool(pattern.all()):
        return ColumnSums(by_tap.sum(dim=1, dtype=torch.int32)[None], None)
    kinds, row = torch.unique(pattern, dim=0, return_inverse=True)
    return ColumnSums(kinds.to(torch.int32) @ by_tap.T, row)


def matmul(b: Builder, call: Call) -> ir.Value:
    """a (..., M, K) times b (..., N, K): of each side rows may have zeros and scales of their own."""
    left, right = (stored(b, codes_of(b, call, side, -1, f"{side}_")) for side in ("a", "b"))
    shape, other = shape_of(left.stored), shape_of(right.stored)
    (rows, depth), columns = shape[-2:], other[-2]
    batch, repeated = math.prod(shape[:-2]), 1
    if math.prod(other[:-2]) == 1:
        batch, rows, repeated = 1, batch * rows, batch
    sizes = ([batch] if batch > 1 else []) if math.prod(other[:-2]) > 1 else []
    one = reshaped(left.stored, [*sizes, rows, depth])
    two = reshaped(right.stored, [*sizes, columns, depth])
    sums = contracted(one, two, Bound.of(left.reach, right.reach, depth))
    axes = list(range(len(sizes) + 2))
    reads = Reads()
    total = sums.reader(reads, axes)
    a, c = (
        _Row(b, reads, side, value, axes, axis, times)
        for side, value, axis, times in ((left, one, axes[-2], repeated), (right, two, axes[-1], 1))
    )
    a_sum, c_sum = a.sum_for(c), c.sum_for(a)

    def body(*n: Number) -> Number:
        x = total(n)
        wide = x.width
        if a.offset and c_sum:
            x = x - a.offset(n).to(wide) * c_sum(n).to(wide)
        if c.offset and a_sum:
            x = x - c.offset(n).to(wide) * a_sum(n).to(wide)
        if a.offset and c.offset:
            x = x + a.offset(n).to(wide) * c.offset(n).to(wide) * depth
        x = x.to(64)
        for scale in (a.scale, c.scale):
            x = x * scale(n).to(64) if scale else x
        factor, shift = (b.at_step(call[name]).to(64) for name in ("factor", "shift"))
        return saturate(round_shift(x * factor, shift), call["width"])

    found = each(shape_of(sums.parts[0]), call["width"], reads.operands, body)
    return reshaped(found, [*shape[:-1], columns])


class _Row:
    """What a loop over an activation product reads of one side: scale, offset, sums of its rows.

    axes: of the loop. axis: the one along which this side's rows lie. times: how often row groups repeat.
    """

    def __init__(
        self, b: Builder, reads: Reads, side: Side, value: ir.Value, axes: list[int], axis: int, times: int
    ) -> None:
        self._reads, self._value, self._places = reads, value, [*axes[:-2], axis]
        scale, offset = (one.repeated(times) if one else None for one in (side.scale, side.offset))
        self.scale: Reader | None = scale.reader(b, reads, axis) if scale else None
        self.offset: Reader | None = offset.reader(b, reads, axis) if offset else None

    def sum_for(self, other: _Row) -> Reader | None:
        """The sum of each row, i32, where the other side's offset is multiplied by it."""
        if other.offset is None:
            return None
        sizes = shape_of(self._value)
        axes = range(len(sizes))
        rows = reduced(sizes, axes[:-1], (0, 32), [(self._value, axes)], lambda x, total: total + x.to(32))
        return self._reads.of(rows, self._places)
