"""`dgqc::matmul`: a product of two activations. A contraction, an epilogue."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch_mlir import ir

from .builder import Builder, Call
from .contraction import LIMIT, contracted, largest_total
from .fixed_point import round_shift, saturate
from .number import Number, number
from .operands import Codes, Digit, PerIndex, Side, as_they_are, less_128, multiplied
from .products import codes_of
from .tensors import Reads, each, reduced, reshaped, shape_of, width_of


def matmul(b: Builder, call: Call) -> ir.Value:
    """a (..., M, K) times b (..., N, K)."""
    first, second = (codes_of(b, call, side, -1, f"{side}_") for side in ("a", "b"))
    left, right, zeros = _sides(b, first, second)
    rows, columns, depth = first.shape[-2], second.shape[-2], first.shape[-1]
    batch, repeated = math.prod(first.shape[:-2]), 1
    if math.prod(second.shape[:-2]) == 1:
        batch, rows, repeated = 1, batch * rows, batch
    sizes = [batch] if batch > 1 else []
    ones = [digit.moved(lambda value: reshaped(value, [*sizes, rows, depth])) for digit in left.digits]
    others = [digit.moved(lambda value: reshaped(value, [*sizes, columns, depth])) for digit in right.digits]
    sums = contracted(ones, others, largest_total(left.reach, right.reach, depth))

    *batches, row, column = range(len(sizes) + 2)
    reads = Reads()
    total = sums.reader(reads, [*batches, row, column])
    below = (zeros or left.offset) and reads.of(_row_sums(b, others, zeros), [*batches, column])
    beside = right.offset and reads.of(_row_sums(b, ones), [*batches, row])
    a, c = (
        side.offset and side.offset.repeated(times).reader(b, reads, axis)
        for side, times, axis in ((left, repeated, row), (right, 1, column))
    )
    scales = [
        side.scale.repeated(times).reader(b, reads, axis)
        for side, times, axis in ((left, repeated, row), (right, 1, column))
        if side.scale
    ]

    def body(*n: Number) -> Number:
        x = total(n)
        if below:
            sum_of_b = below(n).to(x.width)
            x = x - (a(n).to(x.width) * sum_of_b if a else sum_of_b)
        if c and beside:
            sum_of_a = beside(n).to(x.width)
            x = x - c(n).to(x.width) * (sum_of_a - depth * a(n).to(x.width) if a else sum_of_a)
        x = x.to(64)
        for scale in scales:
            x = x * scale(n).to(64)
        factor, shift = (b.at_step(call[name]).to(64) for name in ("factor", "shift"))
        return saturate(round_shift(x * factor, shift), call["width"])

    found = each(sums.shape, call["width"], reads.operands, body)
    return reshaped(found, [*first.shape[:-1], columns])


def _sides(b: Builder, first: Codes, second: Codes) -> tuple[Side, Side, PerIndex | None]:
    """Both sides, and what is still to be taken from the left one, by index along K.

    Where groups of `a` change along K and sums are large, codes of `a` are stored as they are: their
    multiples are multiplied into `b`, and their zeros leave the sum with a sum over `b`.
    """
    left, right = (as_they_are(b, one) if one.plain else multiplied(b, one) for one in (first, second))
    total = largest_total(left.reach, right.reach, first.shape[-1])
    if len(left.digits) == len(right.digits) == 1 and total < LIMIT:
        return left, right, None
    if not first.changing:
        left = left if first.plain else multiplied(b, first, narrow=True)
        return left, right if second.plain else multiplied(b, second, narrow=True), None
    zeros = PerIndex(first.zero - 128, first.group)
    return less_128(first), multiplied(b, second, other=first, narrow=True), zeros


def _row_sums(b: Builder, digits: Sequence[Digit], by: PerIndex | None = None) -> ir.Value:
    """The sum of a side's stored values along the last axis, each times a number of its index there."""
    sizes = shape_of(digits[0].value)
    axes = range(len(sizes))
    reads = Reads()
    values = [(reads.of(digit.value, axes), digit.factor) for digit in digits]
    factor = by and by.reader(b, reads, len(sizes) - 1)
    largest = int(by.table.abs().max()) if by else 1
    reach = largest * digits[-1].factor * 2 ** width_of(digits[-1].value)
    width = 32 if reach * sizes[-1] < LIMIT else 64

    def body(*n: Number) -> Number:
        x = number(0, width)
        for value, times in values:
            x = x + value(n).to(width) * times
        return n[-1] + (x * factor(n).to(width) if factor else x)

    return reduced(sizes, axes[:-1], (0, width), reads.operands, body)
