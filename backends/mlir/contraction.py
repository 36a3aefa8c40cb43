"""Sums of products as `linalg` contractions: i8 x i8 -> i32 or i16 x i16 -> i32 where the numbers allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch_mlir import ir
from torch_mlir.dialects import linalg

from .number import Number
from .operands import widened
from .tensors import Map, Reader, Reads, affine_map, filled, part, shape_of, width_of

LIMIT = 2**31
SMALLEST_BLOCK = 16
"""Sums of fewer products are not worth a contraction of their own."""


@dataclass(frozen=True)
class Bound:
    """How large a contraction's numbers get.

    total: of the magnitudes in any finished sum. term: of one product.
    """

    total: float
    term: float

    @staticmethod
    def of(left: torch.Tensor, right: torch.Tensor, depth: int) -> Bound:
        """left, right: float64 (K,) or (1,), the reach at each index of the summed axis; or right (N, K)."""
        terms = left * right
        return Bound(float(terms.expand(*terms.shape[:-1], depth).sum(dim=-1).amax()), float(terms.amax()))


@dataclass(frozen=True)
class Sums:
    """Finished sums: one tensor of i32 or i64, or several of i32 that are still to be added in 64 bits."""

    parts: Sequence[ir.Value]

    def reader(self, reads: Reads, places: Map) -> Reader:
        """The sum, of 32 or 64 bits."""
        parts = [reads.of(value, places) for value in self.parts]
        if len(parts) == 1:
            return parts[0]

        def added(numbers: Sequence[Number]) -> Number:
            total = parts[0](numbers).to(64)
            for other in parts[1:]:
                total = total + other(numbers).to(64)
            return total

        return added


def contracted(left: ir.Value, right: ir.Value, bound: Bound, transposed: bool = True) -> Sums:
    """sum_k left[.., m, k] * right[.., n, k]: (.., M, N).

    left, right: signed i8, i16 or i32, both of rank 2, or both of rank 3 with a batch axis in front.
    transposed: False for right[.., k, n].
    What wraps in 32 bits on the way comes back, so that only finished sums must fit; where they don't, the
    sum is cut into blocks that do.
    """
    width = max(width_of(left), width_of(right))
    depth = shape_of(left)[-1]
    if bound.total < LIMIT:
        return Sums([_product(left, right, width, 32, transposed)])
    block = int((LIMIT - 1) // bound.term)
    if width > 16 or block < min(depth, SMALLEST_BLOCK):
        return Sums([_product(left, right, 32, 64, transposed)])
    rank = len(shape_of(left))
    summed = rank - 1 if transposed else rank - 2
    parts = []
    for first in range(0, depth, block):
        count = min(block, depth - first)
        one, other = part(left, rank - 1, first, count), part(right, summed, first, count)
        parts.append(_product(one, other, width, 32, transposed))
    return Sums(parts)


def _product(left: ir.Value, right: ir.Value, width: int, result: int, transposed: bool) -> ir.Value:
    batch = shape_of(left)[:-2]
    columns = shape_of(right)[-2 if transposed else -1]
    into = filled([*batch, shape_of(left)[-2], columns], result, 0)
    first = list(range(len(batch)))
    m, n, k = (len(batch) + place for place in range(3))
    places = ([*first, m, k], [*first, *((n, k) if transposed else (k, n))], [*first, m, n])
    maps = [affine_map(len(batch) + 3, place) for place in places]
    multiply = linalg.batch_matmul if batch else linalg.matmul
    found: ir.Value = multiply(
        widened(left, width), widened(right, width), outs=[into], indexing_maps=ir.ArrayAttr.get(maps)
    )
    return found
