"""The epilogue of products with weights: zero points and scales put back, then `requantize_columns`."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ..arithmetic.fixed_point import round_shift, saturate, stored_bits
from ..arithmetic.number import Number
from ..arithmetic.tensors import Reads, each, shape_of
from .contraction import Sums
from .module_builder import ModuleBuilder, OpCall
from .operands import PerIndex


def column_multiplier(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """m[n] = round_shift(column[n] * factor, 31), which fits i32 (N,) as both do."""
    column = b.constant(call["column"])

    def body(c: Number) -> Number:
        return round_shift(c.to(64) * b.at_step(call["factor"]).to(64), 31).to(32)

    return each(shape_of(column), 32, [(column, (0,))], body)


def column_addend(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """round_shift(bias[n] * bias_factor, bias_shift) and the rounding half of the last shift, i64 (N,)."""
    bias = b.constant(call["bias"])

    def body(c: Number) -> Number:
        product = c.to(64) * b.at_step(call["bias_factor"]).to(64)
        half = 1 << (b.at_step(call["shift"]).to(64) - 1)
        return round_shift(product, b.at_step(call["bias_shift"]).to(64)) + half

    return each(shape_of(bias), 64, [(bias, (0,))], body)


def requantized(
    b: ModuleBuilder,
    call: OpCall,
    sums: Sums,
    scale: PerIndex | None,
    offset: PerIndex | None,
    columns: torch.Tensor,
) -> ir.Value:
    """(scale * (sum - offset * column) * m + b + half) >> shift, saturated to the result's bits, (M, N).

    columns: int32 (N,), the sum of each column of the weight.
    """
    reads = Reads()
    total = sums.reader(reads, (0, 1))
    multiplier = reads.of(column_multiplier(b, call), (1,))
    addend = reads.of(column_addend(b, call), (1,))
    factor = scale and scale.reader(b, reads, 0)
    moved = offset and offset.reader(b, reads, 0)
    column = moved and reads.of(b.constant(columns, "column_sums"), (1,))

    def body(*n: Number) -> Number:
        x = total(n)
        if moved and column:
            x = x - moved(n).to(x.width) * column(n).to(x.width)
        x = x.to(64) * factor(n).to(64) if factor else x.to(64)
        shifted = (x * multiplier(n).to(64) + addend(n)) >> b.at_step(call["shift"]).to(64)
        return saturate(shifted, call.width)

    return each(sums.shape, stored_bits(call.width), reads.operands, body)
