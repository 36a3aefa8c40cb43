"""16-bit values between products, element by element: quantize, activation, add, mul, rescale, at_step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_mlir import ir

from ....ir.arithmetic.lookup import ACTIVATION_PIECES, QUARTER_OCTAVES
from ..arithmetic.fixed_point import round_shift, saturate, stored_bits
from ..arithmetic.number import Number, index
from ..arithmetic.tensors import (
    Body,
    Map,
    MappedOperand,
    Reader,
    Reads,
    each,
    entry,
    loop_place,
    reshaped,
    shape_of,
    width_of,
)
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.quantize.default, Family.ELEMENTWISE)
def quantize(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """code = clamp((x * multiplier + offset) >> shift, 0, 2^bits - 1), all of the index's group; 32 bits."""
    values = b.value(call, "x")
    shape = shape_of(values)
    axis, last = call["axis"] % len(shape), 2 ** int(call["bits"]) - 1
    reads = Reads()
    x = reads.of(values, range(len(shape)))
    tables = (call[name] for name in ("multiplier", "offset", "shift"))
    m, r, s = (reads.of(b.spread(table, call["group"]), (axis,)) for table in tables)

    def body(*n: Number) -> Number:
        return ((x(n).to(32) * m(n) + r(n)) >> s(n)).clamp(0, last).to(8)

    return each(shape, 8, reads.operands, body)


@lowers(dgqc.activation.default, Family.ELEMENTWISE)
def activation(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x * g(x): 64 parabolas on the negative side, all in 32 bits up to the requantization."""
    values, table = b.value(call, "x"), b.constant(call["table"])
    shape = shape_of(values)
    reads = Reads()
    last = len(shape) - 1
    x, (factor, shift) = reads.of(values, range(len(shape))), _place_in_table(b, call, reads, last)
    by, twenty = _factor_of_result(b, call, reads, last), width_of(values) == 32

    def body(*n: Number) -> Number:
        wide = x(n).to(32)
        place = _place_of(wide, factor(n), shift(n), twenty).at_most((ACTIVATION_PIECES << 13) - 1)
        piece, t = (place >> 13).to_index(), (place & 8191) - 4096
        value, slope, curve = (entry(table, index(row), piece) for row in range(3))
        slope = slope - round_shift(curve * t, 15)
        below = value - round_shift(slope * t, 15)
        gate = wide.is_at_least(0).choose(65536 - below, below)
        product = wide.to(64) * gate.to(64) if twenty else (wide * gate).to(64)
        return saturate(round_shift(product * by(n), b.at_step(call["shift"]).to(64)), 16)

    return each(shape, 16, reads.operands, body)


def _place_of(x: Number, factor: Number, shift: Number, wide: bool) -> Number:
    """|x| * factor >> shift, i32, of no more than counts."""
    if wide:
        place = (x.absolute().to(64) * factor.to(64)) >> shift.to(64)
        return place.at_most(2**31 - 1).to(32)
    # A place below 2^31 is 0 after 31 bits, whatever the shift beyond.
    return (x.absolute() * factor) >> shift.at_most(31)


def _place_in_table(b: ModuleBuilder, call: OpCall, reads: Reads, last: int) -> tuple[Reader, Reader]:
    """An activation's index_factor and index_shift, i32: of all columns, or of each. last: the loop's axis
    that columns lie along."""
    exponent, names = call["exponent"], ("index_factor", "index_shift")
    if exponent is None:
        by, down = ((lambda _, name=name: b.at_step(call[name])) for name in names)
        return by, down
    quarters = b.constant(QUARTER_OCTAVES[exponent.to(torch.int64) & 3].to(torch.int32), "quarters")
    octaves = b.constant(exponent >> 2, "octaves")

    def factor(quarter: Number) -> Number:
        product = b.at_step(call["index_factor"]).to(64) * quarter.to(64)
        return round_shift(product, 30).to(32)

    def shift(octave: Number) -> Number:
        return (b.at_step(call["index_shift"]) - octave).at_least(0)

    size = [len(exponent)]
    factors, shifts = each(size, 32, [(quarters, (0,))], factor), each(size, 32, [(octaves, (0,))], shift)
    return reads.of(factors, (last,)), reads.of(shifts, (last,))


def _factor_of_result(b: ModuleBuilder, call: OpCall, reads: Reads, last: int) -> Reader:
    """An activation's factor, i64: of all columns, or of each."""
    if call["column"] is None:
        return lambda _: b.at_step(call["factor"]).to(64)
    return reads.of(_factors(b, call, "column", "factor"), (last,))


def requantize(b: ModuleBuilder, call: OpCall, product: Number) -> Number:
    """(product * factor + half) >> shift, saturated to the result's bits."""
    factor, shift = (b.at_step(call[name]).to(64) for name in ("factor", "shift"))
    return saturate(round_shift(product * factor, shift), call.width)


@lowers(dgqc.rescale.default, Family.ELEMENTWISE)
def rescale(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """The same values in another scale."""
    values = b.value(call, "x")
    shape = shape_of(values)
    operands = [(values, range(len(shape)))]
    return each(shape, stored_bits(call.width), operands, lambda x: requantize(b, call, x.to(64)))


@lowers(dgqc.add.default, Family.ELEMENTWISE)
def add(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """saturate16((a * a_factor + b * b_factor + half) >> shift), factors of all columns or of each."""
    last = len(call.result_shape) - 1
    own = call["a_column"] is not None
    names = (("a_column", "a_factor"), ("b_column", "b_factor")) if own else ()
    columns = [(_factors(b, call, *each_side), (last,)) for each_side in names]

    def body(left: Number, right: Number, *factors: Number) -> Number:
        both = factors or [b.at_step(call[name]).to(64) for name in ("a_factor", "b_factor")]
        shift = b.at_step(call["shift"]).to(64)
        return saturate(round_shift(left.to(64) * both[0] + right.to(64) * both[1], shift), call.width)

    return _pair(b, call, body, columns)


def _factors(b: ModuleBuilder, call: OpCall, column: str, factor: str) -> ir.Value:
    """The factor of each column: round_shift(column * factor, 31), i64. column, factor: constants' names."""
    columns = call[column]

    def body(x: Number) -> Number:
        return round_shift(x.to(64) * b.at_step(call[factor]).to(64), 31)

    return each([len(columns)], 64, [(b.constant(columns), (0,))], body)


@lowers(dgqc.mul.default, Family.ELEMENTWISE)
def mul(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """saturate16((a * b * factor + half) >> shift)."""
    return _pair(b, call, lambda left, right: requantize(b, call, left.to(64) * right.to(64)))


def _pair(b: ModuleBuilder, call: OpCall, body: Body, more: Sequence[MappedOperand] = ()) -> ir.Value:
    """Of two values, broadcast against each other. more: what else the body reads."""
    shape = call.result_shape
    values = [b.value(call, name) for name in ("a", "b")]
    return each(shape, stored_bits(call.width), [*(broadcast(value, shape) for value in values), *more], body)


def broadcast(value: ir.Value, shape: tuple[int, ...]) -> tuple[ir.Value, Map]:
    """A value as an operand of a loop over a shape that it broadcasts to: its long axes alone."""
    sizes = shape_of(value)
    missing = len(shape) - len(sizes)
    kept = [axis for axis, size in enumerate(sizes) if size == shape[axis + missing]]
    if not kept:
        # One value for all: a tensor of one element, read at its only place.
        return reshaped(value, [1]), ["0"]
    return reshaped(value, [sizes[axis] for axis in kept]), [axis + missing for axis in kept]


@lowers(dgqc.at_step.default, Family.ELEMENTWISE)
def at_step(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """The call's row of a table (T, ...)."""
    rows = call["table"]
    shape, table = rows.shape[1:], b.constant(rows)
    return each(shape, 16, [], lambda: entry(table, b.step, *map(loop_place, range(len(shape)))))
