"""Softmaxes to codes, and products of their codes with values."""

from __future__ import annotations

import operator

import torch
from torch import fx

from ..integer_graph import IntegerGraph
from .case import FLAGS, MULTIPLES, SIZES, Case, operand

dgqc = torch.ops.dgqc


def attend(
    graph: IntegerGraph,
    heads: int,
    rows: int,
    keys: int,
    columns: int,
    by_token: bool,
    bits: int,
    groups: int,
    start: bool,
    code_bits: int,
    uniform: bool,
    shared: bool,
    most: int = 9,
) -> fx.Node:
    """shared: one set of values for all heads."""
    tokens = keys + int(start)
    (x,) = graph.take(x=(1, 1 if shared else heads, tokens, columns))
    values = operand(graph, x, tokens if by_token else columns, 2 if by_token else 3, bits, groups, most)
    if uniform:
        shares, fraction = list(range(2**code_bits)), 0
    else:
        fraction = min(max(2**code_bits - 1, 15), 23)
        shares = [2**fraction >> code for code in range(min(2**code_bits, 32))]
    codes = graph.table(0, len(shares) - 1, 1, heads, rows, keys, dtype=torch.uint8)
    by_row = (1, heads, rows, 1)
    scale = (graph.table(2**14, 2**15, *by_row), graph.table(1, 20, *by_row))
    first = graph.table(0, 2**15, *by_row)
    weights = graph.constant(torch.tensor(shares, dtype=torch.int32))
    factors = (graph.table(2**14, 2**18, graph.steps), graph.table(18, 40, graph.steps))
    probabilities = (codes, *scale, first, start, weights, fraction)
    return graph.call(dgqc.attend.default, *probabilities, values[0], graph.step, *values[1:], *factors)


def softmax(
    graph: IntegerGraph, heads: int, rows: int, keys: int, start: bool, kind: str, granularity: str, bits: int
) -> tuple[fx.Node, ...]:
    """Over logits that an op before it makes, since a graph's inputs are 16 bits wide."""
    keys += int(start)
    a, b = graph.take(a=(1, heads, rows, 2), b=(1, heads, keys, 2))
    left, right = (operand(graph, x, 2, 3, 16, 1) for x in (a, b))
    scale = (graph.table(2**12, 2**20, graph.steps), graph.table(18, 24, graph.steps), 32)
    logits = graph.call(dgqc.matmul.default, left[0], right[0], graph.step, *left[1:], *right[1:], *scale)
    if kind == "static":
        tables = (
            graph.table(2**28, 2**30, graph.steps),
            graph.table(50, 58, graph.steps),
            graph.table(2**14, 2**15, graph.steps),
            graph.table(1, 47, graph.steps),
        )
        found = graph.call(dgqc.softmax_static.default, logits, graph.step, *tables, bits, start)
    elif kind == "uniform":
        found = graph.call(dgqc.softmax_uniform.default, logits, bits, granularity, start)
    else:
        found = graph.call(dgqc.softmax_log2.default, logits, min(2**bits - 1, 31), granularity, start)
    return tuple(graph.call(operator.getitem, found, place) for place in range(4))


CASES = {
    "attend": Case(
        {
            "heads": [1, 3],
            "rows": SIZES,
            "keys": SIZES,
            "columns": [1, 5, 16],
            "by_token": FLAGS,
            "bits": [2, 6, 8, 16],
            "groups": [1, 4],
            "start": FLAGS,
            "code_bits": [1, 3, 4, 6],
            "uniform": FLAGS,
            "shared": FLAGS,
            "most": MULTIPLES,
        },
        attend,
    ),
    "softmax": Case(
        {
            "heads": [1, 3],
            "rows": SIZES,
            "keys": SIZES,
            "start": FLAGS,
            "kind": ["log2", "uniform", "static"],
            "granularity": ["row", "tensor"],
            "bits": [2, 4, 6, 8],
        },
        softmax,
    ),
}
