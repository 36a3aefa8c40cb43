"""Sums of products as `linalg` contractions, i8 x i8 or i16 x i16 -> i32, one for each pair of limbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch_mlir import ir
from torch_mlir.dialects import linalg

from ....ir.errors import DgqcError
from ..arithmetic.number import Number
from ..arithmetic.tensors import Map, Reader, Reads, affine_map, each, filled, shape_of, width_of
from .operands import Limb

LIMIT = 2**31
DEEPEST = 2**17 - 1
"""So many products of limbs of 8 bits fit 32 bits."""


@dataclass(frozen=True)
class Sums:
    """Sums that are still to be put together: tensors of i32, each with its factor.

    width: 32 where all finished sums fit, so that what wraps on the way comes back; else 64.
    """

    parts: Sequence[Limb]
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.parts[0].value)

    def reader(self, reads: Reads, places: Map) -> Reader:
        """The sum, of `width` bits."""
        parts = [(reads.of(one.value, places), one.factor % 2**self.width) for one in self.parts]

        def added(numbers: Sequence[Number]) -> Number:
            terms = [one(numbers).to(self.width) * factor for one, factor in parts if factor]
            total: Number = terms[0]
            for term in terms[1:]:
                total = total + term
            return total

        return added


def contracted(left: Sequence[Limb], right: Sequence[Limb], total: float, transposed: bool = True) -> Sums:
    """sum_k left[.., m, k] * right[.., n, k]: (.., M, N).

    left, right: of rank 2, or both of rank 3 with a batch axis in front. total: bounds the magnitude of what
    the epilogue makes of any sum, before it scales it; where 32 bits don't hold that, they must hold each sum
    of products of two limbs, as they do for limbs of 8 bits. transposed: False for right[.., k, n].
    """
    depth = shape_of(left[0].value)[-1]
    if total >= LIMIT and depth > DEEPEST:
        raise DgqcError(f"A product sums over {depth} terms; the MLIR backend takes at most {DEEPEST}.")
    parts = [
        Limb(_product(one.value, other.value, transposed), one.factor * other.factor)
        for one in left
        for other in right
    ]
    return Sums(parts, 32 if total < LIMIT else 64)


def largest_total(left: torch.Tensor, right: torch.Tensor, depth: int) -> float:
    """Of the magnitudes in any sum. left, right: float64 (K,) or (1,), absolute maxima along the summed
    axis."""
    return float((left * right).expand(depth).sum())


def _product(left: ir.Value, right: ir.Value, transposed: bool) -> ir.Value:
    batch = shape_of(left)[:-2]
    columns = shape_of(right)[-2 if transposed else -1]
    into = filled([*batch, shape_of(left)[-2], columns], 32, 0)
    first = list(range(len(batch)))
    m, n, k = (len(batch) + place for place in range(3))
    places = ([*first, m, k], [*first, *((n, k) if transposed else (k, n))], [*first, m, n])
    maps = [affine_map(len(batch) + 3, place) for place in places]
    multiply = linalg.batch_matmul if batch else linalg.matmul
    width = max(width_of(left), width_of(right))
    found: ir.Value = multiply(
        _widened(left, width), _widened(right, width), outs=[into], indexing_maps=ir.ArrayAttr.get(maps)
    )
    return found


def _widened(value: ir.Value, width: int) -> ir.Value:
    """The same signed numbers in more bits."""
    if width_of(value) == width:
        return value
    shape = shape_of(value)
    return each(shape, width, [(value, range(len(shape)))], lambda x: x.to(width))
