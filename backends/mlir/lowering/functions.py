"""`dgqc::piecewise`: any function of one variable, a parabola in each piece."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ....ir.arithmetic.pieces import EXACT_BITS, FRACTION, PER_SIGN, PLACE_BITS
from ..arithmetic.fixed_point import round_shift, saturate
from ..arithmetic.number import Number, index, number
from ..arithmetic.tensors import each, entry, shape_of
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.piecewise.default, Family.ELEMENTWISE)
def piecewise(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """The piece and the place in it of each number, then the piece's parabola in 64 bits."""
    values, table = b.value(call, "x"), b.constant(call["table"])
    shape = shape_of(values)

    def body(x: Number) -> Number:
        piece, place = piece_and_place(x.to(32))
        t = place.to(64)
        value, slope, curve = (entry(table, b.step, piece.to_index(), index(row)).to(64) for row in range(3))
        bent = slope + round_shift(curve * t, PLACE_BITS)
        found = round_shift(value + round_shift(bent * t, PLACE_BITS), FRACTION)
        low, high = (b.at_step(call[name]).to(64) for name in ("low", "high"))
        return saturate(found.at_least(low).at_most(high), 16)

    return each(shape, 16, [(values, range(len(shape)))], body)


def piece_and_place(x: Number) -> tuple[Number, Number]:
    """`ir/arithmetic/pieces.py` as `arith`. x: i32, of 16 bits. Both i32."""
    size = x ^ (x >> 31)
    octave = number(0, 32)
    for above in range(EXACT_BITS, 14):
        octave = octave + size.is_at_least(2 << above).choose(1, number(0, 32))
    width = 1 << octave
    place = (2 * (size & (width - 1)) + 1 - width) << (PLACE_BITS - octave)
    piece = (size >> octave) + (octave << EXACT_BITS) + x.is_at_least(0).choose(0, number(PER_SIGN, 32))
    return piece, octave.is_at_least(1).choose(place, number(0, 32))
