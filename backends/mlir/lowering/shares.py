"""`dgqc::softmax`: shares of rows of 16-bit values."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ....ir.ops.softmax import FARTHEST
from ..arithmetic.fixed_point import round_shift
from ..arithmetic.lookup import exp2_negative
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, reduced, reshaped
from .elementwise import requantize
from .module_builder import ModuleBuilder, OpCall
from .norms import rows_of
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.softmax.default, Family.NORMS)
def softmax(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """The rows' largest values, their powers of two, and what share of the sum each is."""
    values, shape = rows_of(b, call)
    start = (-32768, 16)
    largest = reduced(shape, (0,), start, [(values, (0, 1))], lambda x, so_far: so_far.at_least(x))

    def power(x: Number, top: Number) -> Number:
        below = (top.to(64) - x.to(64)) * b.at_step(call["octave_factor"]).to(64)
        octaves = round_shift(below, b.at_step(call["octave_shift"]).to(64)).at_most(FARTHEST)
        return exp2_negative(octaves).to(64)

    powers = each(shape, 64, [(values, (0, 1)), (largest, (0,))], power)
    total = reduced(shape, (0,), (0, 64), [(powers, (0, 1))], lambda one, so_far: so_far + one)

    def share(one: Number, whole: Number) -> Number:
        return requantize(b, call, (one << 30).floor_divide(whole))

    found = each(shape, 16, [(powers, (0, 1)), (total, (0,))], share)
    return reshaped(found, call.result_shape)
