"""The epilogue of products with weights: zero points and scales put back, then `requantize_columns`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch_mlir import ir

from .builder import Builder, Call
from .contraction import Sums
from .fixed_point import round_shift, saturate
from .number import Number
from .operands import PerRow
from .tensors import Reader, Reads, each, entry, loop_place, shape_of


@dataclass(frozen=True)
class ColumnSums:
    """What an offset of the stored codes is multiplied by: sums of a weight's columns.

    table: int32 (P, N). pattern: (rows,), the row of the table for each output row, since at a picture's
    border fewer taps count; None where P is 1.
    """

    table: torch.Tensor
    pattern: torch.Tensor | None

    def reader(self, b: Builder, reads: Reads) -> Reader:
        """For a loop over rows and columns; i32."""
        if self.pattern is None:
            return reads.of(b.constant(self.table[0], "column_sums"), (1,))
        table = b.constant(self.table, "column_sums")
        row = reads.of(b.constant(self.pattern.to(torch.int32), "border"), (0,))
        return lambda n: entry(table, row(n).to_index(), loop_place(1))


def column_multiplier(b: Builder, call: Call) -> ir.Value:
    """m[n] = round_shift(column[n] * factor, 31), i64 (N,)."""
    column = b.constant(call["column"])

    def body(c: Number) -> Number:
        return round_shift(c.to(64) * b.at_step(call["factor"]).to(64), 31)

    return each(shape_of(column), 64, [(column, (0,))], body)


def column_addend(b: Builder, call: Call) -> ir.Value:
    """round_shift(bias[n] * bias_factor, bias_shift) and the rounding half of the last shift, i64 (N,)."""
    bias = b.constant(call["bias"])

    def body(c: Number) -> Number:
        product = c.to(64) * b.at_step(call["bias_factor"]).to(64)
        half = 1 << (b.at_step(call["shift"]).to(64) - 1)
        return round_shift(product, b.at_step(call["bias_shift"]).to(64)) + half

    return each(shape_of(bias), 64, [(bias, (0,))], body)


def requantized(
    b: Builder, call: Call, sums: Sums, scale: PerRow | None, offset: PerRow | None, columns: ColumnSums
) -> ir.Value:
    """saturate16((scale * (sum - offset * column_sum) * m + b + half) >> shift), i16 (M, N)."""
    reads = Reads()
    total = sums.reader(reads, (0, 1))
    multiplier = reads.of(column_multiplier(b, call), (1,))
    addend = reads.of(column_addend(b, call), (1,))
    factor = scale.reader(b, reads, 0) if scale else None
    moved = offset.reader(b, reads, 0) if offset else None
    column = columns.reader(b, reads) if offset else None

    def body(*n: Number) -> Number:
        x = total(n)
        if moved and column:
            x = x - moved(n).to(x.width) * column(n).to(x.width)
        x = x.to(64) * factor(n).to(64) if factor else x.to(64)
        return saturate((x * multiplier(n) + addend(n)) >> b.at_step(call["shift"]).to(64), 16)

    return each(shape_of(sums.parts[0]), 16, reads.operands, body)
