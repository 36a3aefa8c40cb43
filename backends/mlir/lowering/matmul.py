"""`dgqc::matmul`: a product of two activations. A contraction, an epilogue."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_mlir import ir

from ..arithmetic.fixed_point import round_shift, saturate
from ..arithmetic.number import Number, number
from ..arithmetic.tensors import Reads, each, reduced, reshaped, shape_of, width_of
from .contraction import LIMIT, contracted, largest_total
from .module_builder import ModuleBuilder, OpCall
from .operands import GroupedCodes, Limb, PerIndex, Side, as_they_are, less_128, multiplied
from .products import codes_of
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.matmul.default, Family.PRODUCTS)
def matmul(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """a (..., M, K) times b (..., N, K)."""
    first, second = (codes_of(b, call, side, -1, f"{side}_") for side in ("a", "b"))
    left, right, zeros = _sides(b, first, second)
    rows, columns, depth = first.shape[-2], second.shape[-2], first.shape[-1]
    batch, repeated = math.prod(first.shape[:-2]), 1
    if math.prod(second.shape[:-2]) == 1:
        batch, rows, repeated = 1, batch * rows, batch
    sizes = [batch] if batch > 1 else []
    ones = [limb.moved(lambda value: reshaped(value, [*sizes, rows, depth])) for limb in left.limbs]
    others = [limb.moved(lambda value: reshaped(value, [*sizes, columns, depth])) for limb in right.limbs]
    sums = contracted(ones, others, largest_total(left.absolute_maximum, right.absolute_maximum, depth))

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


def _sides(b: ModuleBuilder, first: GroupedCodes, second: GroupedCodes) -> tuple[Side, Side, PerIndex | None]:
    """Both sides, and what is still to be taken from the left one, by index along K.

    Where groups of `a` change along K and sums are large, codes of `a` are stored as they are: their
    multiples are multiplied into `b`, and their zeros leave the sum with a sum over `b`.
    """
    left, right = (as_they_are(b, one) if one.plain else multiplied(b, one) for one in (first, second))
    total = largest_total(left.absolute_maximum, right.absolute_maximum, first.shape[-1])
    if len(left.limbs) == len(right.limbs) == 1 and total < LIMIT:
        return left, right, None
    if not first.changing:
        left = left if first.plain else multiplied(b, first, narrow=True)
        return left, right if second.plain else multiplied(b, second, narrow=True), None
    zeros = PerIndex(first.zero - 128, first.group)
    return less_128(first), multiplied(b, second, other=first, narrow=True), zeros


def _row_sums(b: ModuleBuilder, limbs: Sequence[Limb], by: PerIndex | None = None) -> ir.Value:
    """The sum of a side's stored values along the last axis, each times a number of its index there."""
    sizes = shape_of(limbs[0].value)
    axes = range(len(sizes))
    reads = Reads()
    values = [(reads.of(limb.value, axes), limb.factor) for limb in limbs]
    factor = by and by.reader(b, reads, len(sizes) - 1)
    largest = int(by.table.abs().max()) if by else 1
    bound = largest * limbs[-1].factor * 2 ** width_of(limbs[-1].value)
    width = 32 if bound * sizes[-1] < LIMIT else 64

    def body(*n: Number) -> Number:
        x = number(0, width)
        for value, times in values:
            x = x + value(n).to(width) * times
        return n[-1] + (x * factor(n).to(width) if factor else x)

    return reduced(sizes, axes[:-1], (0, width), reads.operands, body)
