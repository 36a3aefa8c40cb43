"""One side of a product: how its codes are stored for a contraction, and what is left for the epilogue.

A code stands for multiple * (code - zero), both of its group. What a contraction multiplies are signed
limbs, as narrow as they can be:

    value = scale * (limb_0 + factor_1 * limb_1 + ... - offset)      scale and offset of a row

Codes whose groups lie along the rows are one limb of 8 bits. Groups of channels, which change along the
summed axis, are multiplied out before the contraction: to one limb of 16 bits, or to several of 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch_mlir import ir

from ....ir.arithmetic.accumulators import centered_codes
from ....ir.arithmetic.intervals import Interval
from ..arithmetic.number import Number
from ..arithmetic.tensors import Reader, Reads, each, shape_of
from .module_builder import ModuleBuilder


@dataclass(frozen=True)
class PerIndex:
    """A number for each index of an axis: its group's entry of the call's row of a table.

    table: int32 (T, G). group: uint8 (n,); None where all are of group 0.
    """

    table: torch.Tensor
    group: torch.Tensor | None

    def reader(self, b: ModuleBuilder, reads: Reads, axis: int) -> Reader:
        """For a loop in which they lie along `axis`; i32."""
        if self.group is None:
            return lambda _: b.at_step(self.table[:, 0])
        return reads.of(b.spread(self.table, self.group), (axis,))

    def repeated(self, times: int) -> PerIndex:
        """For as many again and again."""
        return self if self.group is None or times == 1 else PerIndex(self.table, self.group.repeat(times))


@dataclass(frozen=True)
class Limb:
    """Signed numbers of the codes' shape, or of a view of it, which stand for `factor` times as much."""

    value: ir.Value
    factor: int

    def moved(self, view: Callable[[ir.Value], ir.Value]) -> Limb:
        return Limb(view(self.value), self.factor)


@dataclass(frozen=True)
class Side:
    """A stored operand.

    scale, offset: by row; None for 1 and 0. absolute_maximum: float64 (K,) or (1,), of value / scale at
    each index of the summed axis.
    """

    limbs: Sequence[Limb]
    scale: PerIndex | None
    offset: PerIndex | None
    absolute_maximum: torch.Tensor


@dataclass(frozen=True)
class GroupedCodes:
    """An operand as the graph has it.

    value: i8 (unsigned codes) or i16. low, high: its smallest and largest code. zero, multiple: int32 (T, G).
    group: uint8, along `axis`. summed: the axis that the product sums over.
    """

    value: ir.Value
    low: int
    high: int
    zero: torch.Tensor
    multiple: torch.Tensor
    group: torch.Tensor
    axis: int
    summed: int

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.value)

    @property
    def unsigned(self) -> bool:
        return self.low >= 0

    @property
    def changing(self) -> bool:
        """Whether groups change along the summed axis."""
        rank = len(self.shape)
        return self.axis % rank == self.summed % rank and bool(self.group.any())

    def zeros(self) -> PerIndex:
        return self._per_index(self.zero)

    def multiples(self) -> PerIndex:
        return self._per_index(self.multiple)

    def _per_index(self, table: torch.Tensor) -> PerIndex:
        return PerIndex(table, self.group) if bool(self.group.any()) else PerIndex(table[:, :1], None)

    def centered(self) -> Interval:
        """What code - zero lies between: int64 (T, K) where groups change, else (T, 1)."""
        zero = self.zeros().table
        found = centered_codes((self.low, self.high), zero, torch.ones_like(zero))
        return found.at(self.group) if self.changing else found.united(1, keepdim=True)

    @property
    def plain(self) -> bool:
        """Whether they can be stored as they are."""
        return self.unsigned and not self.changing


def as_they_are(b: ModuleBuilder, codes: GroupedCodes) -> Side:
    """Plain codes as one limb of 8 bits: less their zeros where that fits, else less 128."""
    if codes.centered().fits(8):
        return multiplied(b, codes)
    zeros = codes.zeros()
    return replace(less_128(codes), scale=_row_scale(codes), offset=PerIndex(zeros.table - 128, zeros.group))


def less_128(codes: GroupedCodes) -> Side:
    """Unsigned codes as one limb of 8 bits; scale and offset are the caller's."""
    limb = each(codes.shape, 8, [(codes.value, range(len(codes.shape)))], lambda code: code ^ 128)
    return Side([Limb(limb, 1)], None, None, _absolute_maximum(codes.centered()))


def multiplied(
    b: ModuleBuilder, codes: GroupedCodes, *, other: GroupedCodes | None = None, narrow: bool = False
) -> Side:
    """The values themselves, but for a scale of rows, without an offset.

    other: codes of the other side, whose multiples change along the summed axis and are multiplied in.
    narrow: limbs of 8 bits, though one of 16 would do.
    """
    sources = [one for one in (codes, other) if one is not None and one.changing]
    values = codes.centered()
    for source in sources:
        values = values.scaled(source.multiple.to(torch.int64)[:, source.group.to(torch.int64)])
    rank = len(codes.shape)
    reads = Reads()
    code = reads.of(codes.value, range(rank))
    zero = codes.zeros().reader(b, reads, codes.axis % rank)
    factors = [source.multiples().reader(b, reads, codes.summed % rank) for source in sources]

    def value(n: Sequence[Number]) -> Number:
        x = (code(n).unsigned_to(32) if codes.unsigned else code(n).to(32)) - zero(n)
        for factor in factors:
            x = x * factor(n)
        return x

    def stored(width: int, body: Callable[[Number], Number]) -> ir.Value:
        return each(codes.shape, width, reads.operands, lambda *n: body(value(n)).to(width))

    def byte(shift: int, lowest: int) -> ir.Value:
        return stored(8, lambda x: ((x - lowest) >> shift) ^ 128)

    if values.fits(8):
        limbs = [Limb(stored(8, lambda x: x), 1)]
    elif values.fits(16) and not narrow:
        limbs = [Limb(stored(16, lambda x: x), 1)]
    else:
        # Bytes less 128 each, of the number that is as much larger.
        count = next(count for count in range(2, 5) if _fit_bytes(values, count))
        lowest = _lowest(count)
        limbs = [Limb(byte(shift, lowest), 1 << shift) for shift in range(0, 8 * count, 8)]
    return Side(limbs, None if codes.changing else _row_scale(codes), None, _absolute_maximum(values))


def _fit_bytes(values: Interval, count: int) -> bool:
    """Whether so many signed bytes hold all values."""
    lowest = _lowest(count)
    return lowest <= int(values.low.min()) and int(values.high.max()) < lowest + (1 << 8 * count)


def _lowest(count: int) -> int:
    """The smallest number of so many signed bytes."""
    return -sum(1 << (8 * place + 7) for place in range(count))


def _row_scale(codes: GroupedCodes) -> PerIndex | None:
    multiples = codes.multiples()
    return None if bool((multiples.table == 1).all()) else multiples


def _absolute_maximum(values: Interval) -> torch.Tensor:
    """float64, over all calls."""
    return values.absolute_maximum.amax(dim=0).to(torch.float64)
