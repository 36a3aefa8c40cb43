"""`dgqc::softmax_log2`, `dgqc::softmax_uniform`, `dgqc::softmax_static`: codes straight from logits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch_mlir import ir

from ....ir.ops.attention import MAX_EXPONENT, step_octaves
from ..arithmetic.fixed_point import round_shift
from ..arithmetic.lookup import exp2_negative, log2
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, filled, part, reduced, reshaped, shape_of
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc

Results = tuple[ir.Value, ...]


class Octaves:
    """-log2 of probabilities in Q16: of an element largest - logit, and a number of the row.

    logits: i32 (R, N), all keys. largest: i32 (R,). total: i64 (R,).
    """

    def __init__(self, b: ModuleBuilder, logits: ir.Value) -> None:
        self.shape = shape_of(logits)
        self.rows = math.prod(self.shape[:-1])
        self.logits = reshaped(logits, [self.rows, self.shape[-1]])
        self.largest = _largest(self.logits)

        def added(x: Number, largest: Number, so_far: Number) -> Number:
            # The difference fits 32 bits without a sign.
            return so_far + exp2_negative(largest - x).to(64)

        operands = [(self.logits, (0, 1)), (self.largest, (0,))]
        sums = reduced(shape_of(self.logits), [0], (0, 64), operands, added)
        self.total = each([self.rows], 64, [(sums, (0,))], lambda x: log2(b, x) - (30 << 16))

    def quantized(self, start: bool) -> ir.Value:
        """The logits that get codes: all but the first key's where it is kept apart."""
        return part(self.logits, 1, int(start), self.shape[-1] - int(start))

    def highest(self, start: bool) -> ir.Value:
        """The largest logit of each row among those that get codes: i32 (R,)."""
        return _largest(self.quantized(start)) if start else self.largest

    def best(self, start: bool, granularity: str) -> ir.Value:
        """The smallest of each row, or of all rows for each: i64 (R,)."""
        operands = [(one, (0,)) for one in (self.highest(start), self.largest, self.total)]
        best = each([self.rows], 64, operands, lambda x, largest, total: _octaves(x, largest, total))
        if granularity == "row":
            return best
        smallest = reduced(
            [self.rows], [], (2**63 - 1, 64), [(best, (0,))], lambda x, so_far: so_far.at_most(x)
        )
        return each([self.rows], 64, [(smallest, ())], lambda x: x)

    def codes(self, start: bool, granularity: str, code: Callable[[Number], Number]) -> ir.Value:
        """(..., M, keys), from how far an element lies above the best one, without a sign.

        Within a row that is a difference of logits, which fits 32 bits.
        """
        if granularity == "row":
            return self._coded(start, [self.highest(start)], lambda x, highest: code(highest - x))
        best = self.best(start, granularity)
        return self.codes_of_octaves(start, lambda octaves, smallest: code(octaves - smallest), best)

    def codes_of_octaves(self, start: bool, code: Callable[..., Number], *rows: ir.Value) -> ir.Value:
        """(..., M, keys), from an element's -log2 of its probability, i64, and numbers of its row."""

        def body(x: Number, largest: Number, total: Number, *others: Number) -> Number:
            return code(_octaves(x, largest, total), *others)

        return self._coded(start, [self.largest, self.total, *rows], body)

    def _coded(self, start: bool, rows: Sequence[ir.Value], body: Callable[..., Number]) -> ir.Value:
        chosen = self.quantized(start)
        operands = [(chosen, (0, 1)), *((row, (0,)) for row in rows)]
        found = each(shape_of(chosen), 8, operands, lambda *n: body(*n).to(8))
        return reshaped(found, [*self.shape[:-1], shape_of(chosen)[1]])

    def scale(self, best: ir.Value, below: int = 0) -> Results:
        """2^-(best + below) as mantissa and exponent, i32 (..., M, 1) each. below: octaves, Q16."""

        def fraction(x: Number) -> Number:
            return round_shift(exp2_negative((x + below) & 65535), 15)

        def whole(x: Number) -> Number:
            return ((x + below) >> 16).at_most(MAX_EXPONENT).to(32)

        mantissa, exponent = (each([self.rows], 32, [(best, (0,))], part) for part in (fraction, whole))
        return self.by_row(mantissa), self.by_row(exponent)

    def first(self, start: bool) -> ir.Value:
        """The first key's probability in Q15, i32 (..., M, 1); 0 where it isn't kept apart."""
        if not start:
            return self.by_row(filled([self.rows], 32, 0))
        key = reshaped(part(self.logits, 1, 0, 1), [self.rows])
        operands = [(one, (0,)) for one in (key, self.largest, self.total)]
        body = lambda *n: round_shift(exp2_negative(_octaves(*n)), 15)  # noqa: E731
        return self.by_row(each([self.rows], 32, operands, body))

    def by_row(self, value: ir.Value) -> ir.Value:
        return reshaped(value, [*self.shape[:-1], 1])


@lowers(dgqc.softmax_log2.default, Family.ATTENTION)
def softmax_log2(b: ModuleBuilder, call: OpCall) -> Results:
    """Codes are rounded differences to the row's best."""

    def code(above: Number) -> Number:
        limit: int = call["limit"]
        return (above.shifted_unsigned(15) + 1).shifted_unsigned(1).at_most(limit)

    return _relative(b, call, code)


@lowers(dgqc.softmax_uniform.default, Family.ATTENTION)
def softmax_uniform(b: ModuleBuilder, call: OpCall) -> Results:
    """Codes are fractions of the row's best."""
    top: int = 2 ** call["bits"] - 1

    def code(above: Number) -> Number:
        # round_shift(fraction * top, 30) in two halves, since 32 bits don't hold the product.
        fraction = exp2_negative(above)
        rest = (fraction & 32767) * top + 2**29
        return ((fraction >> 15) * top + (rest >> 15)) >> 15

    return _relative(b, call, code, step_octaves(call["bits"]))


def _relative(b: ModuleBuilder, call: OpCall, code: Callable[[Number], Number], below: int = 0) -> Results:
    """Codes relative to the row's best, or to the best of all rows. below: of the scale, as in `scale`."""
    octaves, start, granularity = Octaves(b, b.value(call, "logits")), call["start"], call["granularity"]
    scale = octaves.scale(octaves.best(start, granularity), below)
    return octaves.codes(start, granularity, code), *scale, octaves.first(start)


@lowers(dgqc.softmax_static.default, Family.ATTENTION)
def softmax_static(b: ModuleBuilder, call: OpCall) -> Results:
    """Codes are probabilities in steps of the call's scale."""
    octaves, start, top = Octaves(b, b.value(call, "logits")), call["start"], 2 ** call["bits"] - 1

    def code(above: Number) -> Number:
        inverse, shift = (b.at_step(call[name]).to(64) for name in ("inverse", "shift"))
        return round_shift(exp2_negative(above).to(64) * inverse, shift).at_most(top)

    codes = octaves.codes_of_octaves(start, code)
    scale = (each([octaves.rows], 32, [], lambda n=n: b.at_step(call[n])) for n in ("mantissa", "exponent"))
    return codes, *(octaves.by_row(one) for one in scale), octaves.first(start)


def _largest(logits: ir.Value) -> ir.Value:
    """Of each row, i32 (R,)."""
    start = (-(2**31), 32)
    return reduced(shape_of(logits), [0], start, [(logits, (0, 1))], lambda x, so_far: so_far.at_least(x))


def _octaves(logit: Number, largest: Number, total: Number) -> Number:
    """-log2 of a probability in Q16, i64."""
    return largest.to(64) - logit.to(64) + total
