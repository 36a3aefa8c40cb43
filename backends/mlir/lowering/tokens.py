"""What text encoders do with the ids of tokens: `dgqc::embed`, `dgqc::end_token`."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ....ir.ops.tokens import IDS
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, entry, loop_place, reduced, reshaped, shape_of, width_of
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.embed.default, Family.MOVES)
def embed(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """y[t, :] = table[id mod R]."""
    ids, table = b.value(call, "ids"), b.value(call, "table")
    count = shape_of(table)[0]

    def body(one: Number) -> Number:
        found = one.unsigned_to(32)
        row = found - found.floor_divide(count) * count
        return entry(table, row.to_index(), loop_place(2))

    return each(call.result_shape, width_of(table), [(ids, (0, 1))], body)


@lowers(dgqc.end_token.default, Family.MOVES)
def end_token(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """The row of the largest rank, the first of equal ones: ranks stand above places from the end."""
    x, ids, end = b.value(call, "x"), b.value(call, "ids"), call["end"]
    tokens = shape_of(ids)[1]

    def better(one: Number, so_far: Number) -> Number:
        number = one.unsigned_to(64)
        rank = number if end < 0 else (1 - (number ^ end).at_most(1))
        place = loop_place(0).from_index(64)
        return so_far.at_least(rank * IDS + (tokens - 1 - place))

    best = reduced([tokens], (), (-1, 64), [(reshaped(ids, [tokens]), (0,))], better)
    value = reshaped(x, [tokens, shape_of(x)[2]])

    def body(found: Number) -> Number:
        row = tokens - 1 - (found & (IDS - 1))
        return entry(value, row.to_index(), loop_place(1))

    return each(call.result_shape, width_of(x), [(best, ())], body)
