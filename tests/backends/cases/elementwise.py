"""16-bit values between products."""

from __future__ import annotations

import torch
from torch import fx

from dgqc.ir.arithmetic.lookup import activation_table, sigmoid
from dgqc.ir.arithmetic.pieces import PIECES

from ..integer_graph import IntegerGraph
from .case import FLAGS, SHAPES, Case, operand

dgqc = torch.ops.dgqc


def quantize(graph: IntegerGraph, shape: tuple[int, ...], last: bool, bits: int, groups: int) -> fx.Node:
    (x,) = graph.take(x=shape)
    axis = len(shape) - (1 if last else 2)
    return graph.quantized(x, shape[axis], axis, bits, groups)[0]


def activation(graph: IntegerGraph, shape: tuple[int, ...], fine: bool) -> fx.Node:
    (x,) = graph.take(x=shape)
    place = (
        graph.table(0, 2**16 - 1, graph.steps),
        graph.table(*((0, 8) if fine else (10, 62)), graph.steps),
    )
    factors = (graph.table(2**20, 2**30, graph.steps), graph.table(30, 52, graph.steps))
    return graph.call(
        dgqc.activation.default,
        x,
        graph.step,
        graph.constant(activation_table(sigmoid, 16.0)),
        *place,
        *factors,
    )


def piecewise(graph: IntegerGraph, shape: tuple[int, ...], largest: int) -> fx.Node:
    """largest: of the table's entries; a large one saturates everywhere."""
    (x,) = graph.take(x=shape)
    table = graph.table(-largest, largest, graph.steps, PIECES, 3)
    ends = (graph.table(-32768, 0, graph.steps), graph.table(0, 32767, graph.steps))
    return graph.call(dgqc.piecewise.default, x, graph.step, table, *ends)


def add_logits(graph: IntegerGraph, bias: tuple[int, ...], wide: bool, constant: bool) -> fx.Node:
    """To logits that an op before it makes, since a graph's inputs are 16 bits wide."""
    a, b, c = graph.take(a=(1, 2, 3, 4), b=(1, 2, 5, 4), c=bias)
    sides = (operand(graph, x, 4, 3, 16, 1) for x in (a, b))
    left, right = sides
    scale = (graph.table(2**12, 2**20, graph.steps), graph.table(18, 24, graph.steps), 32)
    logits = graph.call(dgqc.matmul.default, left[0], right[0], graph.step, *left[1:], *right[1:], *scale)
    if constant:
        kind = (32, torch.int32) if wide else (16, torch.int16)
        c = graph.table(-(2 ** (kind[0] - 1)), 2 ** (kind[0] - 1) - 1, *bias, dtype=kind[1])
    factors = (graph.table(0, 2**30, graph.steps), graph.table(1, 45, graph.steps))
    return graph.call(dgqc.add_logits.default, logits, c, graph.step, *factors)


def pair(graph: IntegerGraph, op: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> fx.Node:
    a, b = graph.take(a=shapes[0], b=shapes[1])
    if op == "mul":
        factors = (graph.table(2**10, 2**30, graph.steps), graph.table(20, 50, graph.steps))
        return graph.call(dgqc.mul.default, a, b, graph.step, *factors)
    factors = [graph.table(-(2**30), 2**30, graph.steps) for _ in range(2)]
    return graph.call(dgqc.add.default, a, b, graph.step, *factors, graph.table(25, 35, graph.steps))


def activation_by_columns(graph: IntegerGraph, shape: tuple[int, ...], shift: int, which: str) -> fx.Node:
    """Exponents beyond all shifts among them. which: whose tables, the argument's or the result's."""
    (x,) = graph.take(x=shape)
    place = (graph.table(0, 2**15 - 1, graph.steps), graph.table(shift, shift + 3, graph.steps))
    factors = (graph.table(2**20, 2**30, graph.steps), graph.table(30, 52, graph.steps))
    table = graph.constant(activation_table(sigmoid, 16.0))
    exponent = graph.table(0, 90, shape[-1]) if which != "result" else None
    own = () if which == "argument" else (graph.table(0, 2**31 - 1, shape[-1]),)
    return graph.call(dgqc.activation.default, x, graph.step, table, *place, *factors, exponent, *own)


def sum_by_columns(
    graph: IntegerGraph, shapes: tuple[tuple[int, ...], tuple[int, ...]], shift: int
) -> fx.Node:
    a, b = graph.take(a=shapes[0], b=shapes[1])
    factors = [graph.table(-(2**30), 2**30, graph.steps) for _ in range(2)]
    columns = [graph.table(0, 2**31 - 1, max(shape[-1] for shape in shapes)) for _ in range(2)]
    shifts = graph.table(shift, shift + 9, graph.steps)
    return graph.call(dgqc.add.default, a, b, graph.step, *factors, shifts, *columns)


def rescale(graph: IntegerGraph, shape: tuple[int, ...]) -> fx.Node:
    (x,) = graph.take(x=shape)
    factors = (graph.table(0, 2**31 - 1, graph.steps), graph.table(25, 35, graph.steps))
    return graph.call(dgqc.rescale.default, x, graph.step, *factors)


def at_step(graph: IntegerGraph, shape: tuple[int, ...]) -> fx.Node:
    """Added to an input, so that the program has one."""
    (x,) = graph.take(x=shape)
    table = graph.table(-32768, 32767, graph.steps, *shape, dtype=torch.int16)
    row = graph.call(dgqc.at_step.default, table, graph.step)
    factors = [graph.table(2**25, 2**29, graph.steps) for _ in range(2)]
    return graph.call(dgqc.add.default, x, row, graph.step, *factors, graph.table(25, 30, graph.steps))


BROADCAST = [
    ((1, 4, 6), (1, 4, 6)),
    ((1, 4, 6), (1, 1, 6)),
    ((1, 1, 6), (4, 1)),
    ((1, 3, 5, 8), (8,)),
    ((2, 1), (1, 1, 7)),
    ((1, 4, 6), (1,)),
    ((1, 1), (1, 3, 2)),
]

CASES = {
    "activation_by_columns": Case(
        {"shape": SHAPES, "shift": [0, 4, 40], "which": ["argument", "result", "both"]}, activation_by_columns
    ),
    "sum_by_columns": Case({"shapes": BROADCAST, "shift": [1, 25, 50]}, sum_by_columns),
    "quantize": Case(
        {"shape": SHAPES, "last": FLAGS, "bits": [1, 4, 6, 8], "groups": [1, 3]},
        quantize,
    ),
    "activation": Case({"shape": SHAPES, "fine": FLAGS}, activation),
    "piecewise": Case({"shape": SHAPES, "largest": [2**10, 2**23, 2**26]}, piecewise),
    "add_logits": Case(
        {
            "bias": [(1, 2, 3, 5), (3, 5), (2, 1, 5), (1, 1, 3, 1)],
            "wide": FLAGS,
            "constant": FLAGS,
        },
        add_logits,
    ),
    "pair": Case(
        {
            "op": ["add", "mul"],
            "shapes": BROADCAST,
        },
        pair,
    ),
    "rescale": Case({"shape": SHAPES}, rescale),
    "at_step": Case({"shape": [(1, 7), (1, 3, 4)]}, at_step),
}
