"""`dgqc::cached`: what a full call hands on, and what a shallow one makes of it."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ....ir.ops.cached import CORRECTION_BITS
from ..arithmetic.fixed_point import round_shift, saturate
from ..arithmetic.number import Number
from ..arithmetic.tensors import Reads, each, part, shape_of
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.cached.default, Family.MOVES)
def cached(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x, or saturate16((x1 * factor + x2 * older + offset + 2^14) >> 15) with the call's row of all tables,
    in 64 bits."""
    values = b.value(call, "x")
    if not call["shallow"]:
        return values
    names = ["factor"] if call["older"] is None else ["factor", "older"]
    count = shape_of(values)[0] // len(names)
    shape = (count, *shape_of(values)[1:])
    last, all_columns = len(shape) - 1, torch.arange(shape[-1])
    reads = Reads()
    parts = [
        reads.of(part(values, 0, place * count, count), range(len(shape))) for place in range(len(names))
    ]
    *factors, offset = (reads.of(b.spread(call[name], all_columns), (last,)) for name in (*names, "offset"))

    def body(*n: Number) -> Number:
        first, *rest = (x(n).to(64) * factor(n).to(64) for x, factor in zip(parts, factors, strict=True))
        total = sum(rest, first) + offset(n).to(64)
        return saturate(round_shift(total, CORRECTION_BITS), 16)

    return each(shape, 16, reads.operands, body)
