"""One side of a product: how its codes are stored for a contraction, and what is left for the epilogue.

A code stands for multiple * (code - zero), both of its group. Whatever doesn't change along the summed axis
leaves the sum, so that what is multiplied is as narrow as it can be:

    value = scale * (stored - offset)         scale and offset of a row, stored along the summed axis

Groups of channels, which do change, are multiplied out before the contraction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch_mlir import ir

from .builder import Builder
from .number import Number
from .tensors import Operand, Reader, Reads, each, shape_of, width_of

WIDTHS = (8, 16, 32)


@dataclass(frozen=True)
class PerRow:
    """A number for each row: its group's entry of the call's row of a table.

    table: int32 (T, G). group: uint8 (rows,); None where all rows are of group 0.
    """

    table: torch.Tensor
    group: torch.Tensor | None

    def reader(self, b: Builder, reads: Reads, axis: int) -> Reader:
        """For a loop whose rows lie along `axis`; i32."""
        if self.group is None:
            return lambda _: b.at_step(self.table[:, 0])
        return reads.of(b.spread(self.table, self.group), (axis,))

    def repeated(self, times: int) -> PerRow:
        """For as many rows again and again."""
        return self if self.group is None or times == 1 else PerRow(self.table, self.group.repeat(times))


@dataclass(frozen=True)
class Side:
    """A stored operand.

    stored: i8, i16 or i32, of the codes' shape. scale, offset: None for 1 and 0.
    reach: float64 (K,) or (1,), the largest |stored - offset| at each index of the summed axis.
    """

    stored: ir.Value
    scale: PerRow | None
    offset: PerRow | None
    reach: torch.Tensor


@dataclass(frozen=True)
class Codes:
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
    def unsigned(self) -> bool:
        return self.low >= 0

    @property
    def single(self) -> bool:
        """Whether all indices are of one group, the first."""
        return not bool(self.group.any())


def stored(b: Builder, codes: Codes, least: int = 8) -> Side:
    """The narrowest form. least: bits that the other side needs anyway."""
    rank = len(shape_of(codes.value))
    along_sum = codes.axis % rank == codes.summed % rank
    if along_sum and not codes.single:
        return _multiplied(b, codes, least)
    return _by_row(b, codes, least)


def _multiplied(b: Builder, codes: Codes, least: int) -> Side:
    """multiple * (code - zero) itself."""
    multiple = codes.multiple.to(torch.int64)
    ends = [multiple * (code - codes.zero.to(torch.int64)) for code in (codes.low, codes.high)]
    width = max(least, _width(torch.stack(ends)))
    zero, factor = (b.spread(table, codes.group) for table in (codes.zero, codes.multiple))

    def body(code: Number, z: Number, c: Number) -> Number:
        return ((_widened(codes, code) - z) * c).to(width)

    shape = shape_of(codes.value)
    place = [codes.axis % len(shape)]
    operands: list[Operand] = [(codes.value, range(len(shape))), (zero, place), (factor, place)]
    reach = torch.stack(ends).abs().amax(dim=(0, 1)).to(torch.float64)
    return Side(each(shape, width, operands, body), None, None, reach[codes.group.to(torch.int64)])


def _by_row(b: Builder, codes: Codes, least: int) -> Side:
    """Zero and multiple leave the sum, or what is stored is centered already."""
    group = None if codes.single else codes.group
    table = codes.zero[:, :1] if group is None else codes.zero
    multiple = codes.multiple[:, :1] if group is None else codes.multiple
    scale = None if bool((multiple == 1).all()) else PerRow(multiple, group)
    ends = torch.stack([code - table.to(torch.int64) for code in (codes.low, codes.high)])
    reach = ends.abs().amax().reshape(1).to(torch.float64)
    width = max(least, _width(ends))
    if not bool(table.any()) and width >= width_of(codes.value) and not codes.unsigned:
        return Side(widened(codes.value, width), scale, None, reach)
    if codes.unsigned and width > least == 8:
        moved = each(shape_of(codes.value), 8, [(codes.value, range(_rank(codes)))], lambda code: code ^ 128)
        return Side(moved, scale, PerRow(table - 128, group), reach)
    reads = Reads()
    code = reads.of(codes.value, range(_rank(codes)))
    zero = PerRow(table, group).reader(b, reads, codes.axis % _rank(codes))

    def body(*numbers: Number) -> Number:
        return (_widened(codes, code(numbers)) - zero(numbers)).to(width)

    return Side(each(shape_of(codes.value), width, reads.operands, body), scale, None, reach)


def widened(value: ir.Value, width: int) -> ir.Value:
    """The same signed numbers in more bits."""
    if width_of(value) == width:
        return value
    shape = shape_of(value)
    return each(shape, width, [(value, range(len(shape)))], lambda x: x.to(width))


def _rank(codes: Codes) -> int:
    return len(shape_of(codes.value))


def _widened(codes: Codes, code: Number) -> Number:
    return code.unsigned_to(32) if codes.unsigned else code.to(32)


def _width(values: torch.Tensor) -> int:
    low, high = int(values.min()), int(values.max())
    return next(width for width in WIDTHS if -(1 << (width - 1)) <= low and high < 1 << (width - 1))
