"""`dgqc::add_logits`: attention's scores and what is added to them."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ..arithmetic.fixed_point import round_shift, saturate
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, shape_of
from .elementwise import broadcast
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.add_logits.default, Family.ELEMENTWISE)
def add_logits(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """saturate32(logits + ((bias * factor + half) >> shift))."""
    logits = b.value(call, "logits")
    shape = shape_of(logits)

    def body(score: Number, bias: Number) -> Number:
        factor, shift = (b.at_step(call[name]).to(64) for name in ("factor", "shift"))
        return saturate(score.to(64) + round_shift(bias.to(64) * factor, shift), 32)

    operands = [(logits, range(len(shape))), broadcast(b.value(call, "bias"), shape)]
    return each(shape, 32, operands, body)
