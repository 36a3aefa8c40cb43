"""One op a case: what its parameters may be, and the program that holds the op with random constants.

A space gives each parameter its choices. Property tests draw from it, and so do tests that put many cases
into one module.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from dgqc.ir.lookup import gate_table, sigmoid
from dgqc.ir.program import Program

from ..integer_graph import IntegerGraph

dgqc, aten = torch.ops.dgqc, torch.ops.aten
Inputs = dict[str, torch.Tensor]
FLAGS = [False, True]
BITS = [2, 4, 6, 8, 16]


@dataclass(frozen=True)
class Case:
    """build: from a graph and a choice of each parameter to what the op gives."""

    space: Mapping[str, Sequence[Any]]
    build: Callable[..., Any]

    def program(self, seed: int, **choice: Any) -> tuple[Program, Inputs]:
        """The program, and inputs with extremes among them."""
        graph = IntegerGraph(seed=seed)
        program = graph.finish(self.build(graph, **choice))
        return program, {item.name: graph.values(*item.shape) for item in program.inputs}


def operand(graph: IntegerGraph, x: fx.Node, size: int, axis: int, bits: int, groups: int) -> tuple[Any, ...]:
    """Codes with groups along an axis of this size, and their tables; 16 bits are used as they are."""
    if bits < 16:
        return graph.quantized(x, size, axis, bits, groups)
    zero, one = (graph.constant(torch.full((graph.steps, 1), n, dtype=torch.int32)) for n in (0, 1))
    return x, zero, one, graph.constant(torch.zeros(size, dtype=torch.uint8)), axis


def linear(
    graph: IntegerGraph,
    batch: int,
    rows: int,
    depth: int,
    columns: int,
    bits: int,
    groups: int,
    by_row: bool,
    weight_bits: int,
) -> fx.Node:
    (x,) = graph.take(x=(batch, rows, depth))
    axis = 1 if by_row else 2
    codes = operand(graph, x, (rows, depth)[not by_row], axis, bits, groups)
    weight = graph.weight(weight_bits, columns, depth)
    return graph.call(dgqc.linear.default, codes[0], graph.step, *codes[1:], weight, *graph.epilogue(columns))


def window_sizes(
    kernel: Sequence[int], image: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> int:
    """How many output positions there are."""
    height, width = (
        (size + 2 * p - k) // s + 1 for size, k, s, p in zip(image, kernel, stride, padding, strict=True)
    )
    return height * width


def conv2d(
    graph: IntegerGraph,
    image: tuple[int, int],
    channels: int,
    columns: int,
    window: tuple[list[int], list[int], list[int]],
    bits: int,
    groups: int,
    weight_bits: int,
) -> fx.Node:
    (x,) = graph.take(x=(1, *image, channels))
    kernel, stride, padding = window
    codes, zero, multiple, group, _ = operand(graph, x, channels, 3, bits, groups)
    weight = graph.weight(weight_bits, columns, *kernel, channels)
    tables = (zero, multiple, group, weight, *graph.epilogue(columns))
    return graph.call(dgqc.conv2d.default, codes, graph.step, *tables, stride, padding)


def conv2d_pixel(
    graph: IntegerGraph,
    image: tuple[int, int],
    channels: int,
    columns: int,
    window: tuple[list[int], list[int], list[int]],
    bits: int,
    groups: int,
    far: bool,
) -> fx.Node:
    """far: multiples beyond what 16-bit operands hold."""
    (x,) = graph.take(x=(1, *image, channels))
    kernel, stride, padding = window
    positions = window_sizes(kernel, image, stride, padding)
    # The quantizer of another graph lends its tables; only they are used here.
    codes, zero, multiple, group, _ = graph.quantized(x, positions, 1, bits, groups)
    tables = codes.args[2:5]
    graph.graph.erase_node(codes)
    if far:
        multiple = graph.table(200, 400, graph.steps, groups)
    weight = graph.weight(8, columns, *kernel, channels)
    args = (*tables, zero, multiple, group, bits, weight, *graph.epilogue(columns), stride, padding)
    return graph.call(dgqc.conv2d_pixel.default, x, graph.step, *args)


def matmul(
    graph: IntegerGraph,
    heads: int,
    rows: int,
    depth: int,
    columns: int,
    a_by_row: bool,
    b_by_row: bool,
    a_bits: int,
    b_bits: int,
    groups: int,
    width: int,
    shared: bool,
) -> fx.Node:
    """shared: one right side for all heads."""
    a, b = graph.take(a=(1, heads, rows, depth), b=(1, 1 if shared else heads, columns, depth))
    left = operand(graph, a, (rows, depth)[not a_by_row], 3 - a_by_row, a_bits, groups)
    right = operand(graph, b, (columns, depth)[not b_by_row], 3 - b_by_row, b_bits, groups)
    scale = (graph.table(2**20, 2**24, graph.steps), graph.table(18, 40, graph.steps), width)
    return graph.call(dgqc.matmul.default, left[0], right[0], graph.step, *left[1:], *right[1:], *scale)


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
) -> fx.Node:
    """shared: one set of values for all heads."""
    tokens = keys + int(start)
    (x,) = graph.take(x=(1, 1 if shared else heads, tokens, columns))
    values = operand(graph, x, tokens if by_token else columns, 2 if by_token else 3, bits, groups)
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


def norm_tables(graph: IntegerGraph, channels: int) -> tuple[fx.Node, ...]:
    return (
        graph.table(-(2**31) + 1, 2**31 - 1, channels),
        graph.table(2**20, 2**31 - 1, graph.steps),
        graph.table(0, 40, graph.steps),
        graph.table(-(2**31) + 1, 2**31 - 1, channels),
        graph.table(-(2**30), 2**30, graph.steps),
        graph.table(30, 50, graph.steps),
        graph.table(1, 2**34, graph.steps, dtype=torch.int64),
    )


def group_norm(graph: IntegerGraph, image: tuple[int, ...], groups: int, size: int) -> fx.Node:
    (x,) = graph.take(x=(1, *image, groups * size))
    return graph.call(dgqc.group_norm.default, x, graph.step, groups, *norm_tables(graph, groups * size))


def layer_norm(graph: IntegerGraph, rows: int, channels: int) -> fx.Node:
    (x,) = graph.take(x=(1, rows, channels))
    return graph.call(dgqc.layer_norm.default, x, graph.step, *norm_tables(graph, channels))


def quantize(graph: IntegerGraph, shape: tuple[int, ...], last: bool, bits: int, groups: int) -> fx.Node:
    (x,) = graph.take(x=shape)
    axis = len(shape) - (1 if last else 2)
    return graph.quantized(x, shape[axis], axis, bits, groups)[0]


def gate(graph: IntegerGraph, shape: tuple[int, ...], fine: bool) -> fx.Node:
    (x,) = graph.take(x=shape)
    place = (
        graph.table(0, 2**16 - 1, graph.steps),
        graph.table(*((0, 8) if fine else (10, 62)), graph.steps),
    )
    factors = (graph.table(2**20, 2**30, graph.steps), graph.table(30, 52, graph.steps))
    return graph.call(
        dgqc.gate.default, x, graph.step, graph.constant(gate_table(sigmoid, 16.0)), *place, *factors
    )


def pair(graph: IntegerGraph, op: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> fx.Node:
    a, b = graph.take(a=shapes[0], b=shapes[1])
    if op == "mul":
        factors = (graph.table(2**10, 2**30, graph.steps), graph.table(20, 50, graph.steps))
        return graph.call(dgqc.mul.default, a, b, graph.step, *factors)
    factors = [graph.table(-(2**30), 2**30, graph.steps) for _ in range(2)]
    return graph.call(dgqc.add.default, a, b, graph.step, *factors, graph.table(25, 35, graph.steps))


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


def avg_pool2d(
    graph: IntegerGraph, image: tuple[int, int], channels: int, kernel: int, stride: int
) -> fx.Node:
    (x,) = graph.take(x=(1, *image, channels))
    return graph.call(dgqc.avg_pool2d.default, x, kernel, stride)


def upsample(graph: IntegerGraph, image: tuple[int, int], channels: int, size: tuple[int, int]) -> fx.Node:
    (x,) = graph.take(x=(1, *image, channels))
    return graph.call(dgqc.upsample_nearest.default, x, *size)


def gather(graph: IntegerGraph, shape: tuple[int, ...], last: bool) -> fx.Node:
    (x,) = graph.take(x=shape)
    axis = len(shape) - (1 if last else 2)
    order = torch.randperm(shape[axis], generator=graph.random).to(torch.int32)
    return graph.call(dgqc.gather.default, x, graph.constant(order), axis)


def permuted_linear(
    graph: IntegerGraph, rows: int, depth: int, columns: int, groups: int, bits: int
) -> fx.Node:
    """A product behind a gather of its channels, as permute-channels leaves it."""
    (x,) = graph.take(x=(1, rows, depth))
    codes, *tables = graph.quantized(x, depth, 2, bits, groups)
    order = torch.randperm(depth, generator=graph.random).to(torch.int32)
    moved = graph.call(dgqc.gather.default, codes, graph.constant(order), 2)
    weight = graph.weight(4, columns, depth)
    args = (graph.step, *tables, weight, *graph.epilogue(columns))
    return graph.call(dgqc.linear.default, moved, *args)


def views(graph: IntegerGraph, heads: int, rows: int, size: int) -> fx.Node:
    """What torch-mlir lowers: reshape, permute, slice, cat."""
    (x,) = graph.take(x=(1, rows, heads * size))
    split = graph.call(aten.reshape.default, x, [1, rows, heads, size])
    swapped = graph.call(aten.permute.default, split, [0, 2, 1, 3])
    some = graph.call(aten.slice.Tensor, swapped, 3, size // 2, size)
    return graph.call(aten.cat.default, [some, swapped], 3)


SHAPES = [(1, 5, 7), (1, 33, 16), (1, 4, 6, 10), (1, 3, 3, 40)]
WINDOWS = [
    (kernel, stride, padding)
    for kernel in ([1, 1], [3, 3], [2, 3])
    for stride in ([1, 1], [2, 2], [2, 1])
    for padding in ([0, 0], [1, 1], [2, 1])
]
IMAGES = [(5, 5), (6, 9), (11, 7)]
SIZES = [1, 2, 3, 7, 16, 33]

CASES = {
    "linear": Case(
        {
            "batch": [1, 2],
            "rows": SIZES,
            "depth": [1, 5, 32, 70],
            "columns": [1, 4, 9, 17],
            "bits": BITS,
            "groups": [1, 2, 5],
            "by_row": FLAGS,
            "weight_bits": [2, 4, 8],
        },
        linear,
    ),
    "conv2d": Case(
        {
            "image": IMAGES,
            "channels": [1, 3, 8],
            "columns": [1, 5, 16],
            "window": WINDOWS,
            "bits": BITS,
            "groups": [1, 3],
            "weight_bits": [4, 8],
        },
        conv2d,
    ),
    "conv2d_pixel": Case(
        {
            "image": IMAGES,
            "channels": [1, 3, 8],
            "columns": [1, 5, 16],
            "window": WINDOWS,
            "bits": [2, 4, 6, 8],
            "groups": [1, 4],
            "far": FLAGS,
        },
        conv2d_pixel,
    ),
    "matmul": Case(
        {
            "heads": [1, 3],
            "rows": SIZES,
            "depth": [1, 8, 33],
            "columns": SIZES,
            "a_by_row": FLAGS,
            "b_by_row": FLAGS,
            "a_bits": BITS,
            "b_bits": BITS,
            "groups": [1, 3],
            "width": [16, 32],
            "shared": FLAGS,
        },
        matmul,
    ),
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
    "group_norm": Case({"image": [(1,), (4, 5), (9,)], "groups": [1, 2, 4], "size": [1, 3, 8]}, group_norm),
    "layer_norm": Case({"rows": SIZES, "channels": [1, 8, 33]}, layer_norm),
    "quantize": Case(
        {"shape": SHAPES, "last": FLAGS, "bits": [1, 4, 6, 8], "groups": [1, 3]},
        quantize,
    ),
    "gate": Case({"shape": SHAPES, "fine": FLAGS}, gate),
    "pair": Case(
        {
            "op": ["add", "mul"],
            "shapes": [
                ((1, 4, 6), (1, 4, 6)),
                ((1, 4, 6), (1, 1, 6)),
                ((1, 1, 6), (4, 1)),
                ((1, 3, 5, 8), (8,)),
                ((2, 1), (1, 1, 7)),
            ],
        },
        pair,
    ),
    "rescale": Case({"shape": SHAPES}, rescale),
    "at_step": Case({"shape": [(1, 7), (1, 3, 4)]}, at_step),
    "avg_pool2d": Case(
        {"image": IMAGES, "channels": [1, 6], "kernel": [1, 2, 3], "stride": [1, 2]},
        avg_pool2d,
    ),
    "upsample": Case(
        {"image": [(3, 4), (2, 5)], "channels": [1, 8], "size": [(6, 20), (5, 9), (6, 8)]},
        upsample,
    ),
    "gather": Case({"shape": SHAPES, "last": FLAGS}, gather),
    "permuted_linear": Case(
        {"rows": [1, 7], "depth": [6, 17], "columns": [3, 8], "groups": [2, 4], "bits": [4, 6, 8]},
        permuted_linear,
    ),
    "views": Case({"heads": [1, 3], "rows": [1, 5], "size": [2, 6]}, views),
}
