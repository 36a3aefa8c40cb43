"""Products, with weights and of activations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx

from ..integer_graph import IntegerGraph
from .case import BITS, FLAGS, IMAGES, MULTIPLES, SIZES, Case, operand, pictures

dgqc = torch.ops.dgqc


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
    most: int = 9,
) -> fx.Node:
    (x,) = graph.take(x=(batch, rows, depth))
    axis = 1 if by_row else 2
    codes = operand(graph, x, (rows, depth)[not by_row], axis, bits, groups, most)
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
    most: int = 9,
    images: int = 1,
) -> fx.Node:
    x = pictures(graph, images, *image, channels)
    kernel, stride, padding = window
    codes, zero, multiple, group, _ = operand(graph, x, channels, 3, bits, groups, most)
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
    images: int = 1,
) -> fx.Node:
    """far: multiples beyond what 16-bit operands hold."""
    x = pictures(graph, images, *image, channels)
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


def depthwise_conv2d(
    graph: IntegerGraph,
    image: tuple[int, int],
    channels: int,
    each: int,
    window: tuple[list[int], list[int], list[int]],
    dilation: list[int],
    images: int = 1,
) -> fx.Node:
    """each: output channels of a channel."""
    x = pictures(graph, images, *image, channels)
    kernel, stride, padding = window
    weight = graph.table(-32768, 32767, *kernel, channels * each, dtype=torch.int16)
    epilogue = graph.epilogue(channels * each)
    factor = graph.table(2**10, 2**18, graph.steps)
    constants = (weight, epilogue[0], factor, *epilogue[2:])
    return graph.call(dgqc.depthwise_conv2d.default, x, graph.step, *constants, stride, padding, dilation)


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
    most: int = 9,
) -> fx.Node:
    """shared: one right side for all heads."""
    a, b = graph.take(a=(1, heads, rows, depth), b=(1, 1 if shared else heads, columns, depth))
    left = operand(graph, a, (rows, depth)[not a_by_row], 3 - a_by_row, a_bits, groups, most)
    right = operand(graph, b, (columns, depth)[not b_by_row], 3 - b_by_row, b_bits, groups, most)
    scale = (graph.table(2**20, 2**24, graph.steps), graph.table(18, 40, graph.steps), width)
    return graph.call(dgqc.matmul.default, left[0], right[0], graph.step, *left[1:], *right[1:], *scale)


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


WINDOWS = [
    (kernel, stride, padding)
    for kernel in ([1, 1], [3, 3], [2, 3])
    for stride in ([1, 1], [2, 2], [2, 1])
    for padding in ([0, 0], [1, 1], [2, 1])
]

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
            "weight_bits": [2, 3, 4, 8],
            "most": MULTIPLES,
        },
        linear,
    ),
    "depthwise_conv2d": Case(
        {
            "images": [1, 1, 3],
            "image": IMAGES,
            "channels": [1, 5, 70],
            "each": [1, 1, 3],
            "window": WINDOWS,
            "dilation": [[1, 1], [2, 1], [2, 2]],
        },
        depthwise_conv2d,
    ),
    "conv2d": Case(
        {
            "images": [1, 1, 3],
            "image": IMAGES,
            "channels": [1, 3, 8],
            "columns": [1, 5, 16],
            "window": WINDOWS,
            "bits": BITS,
            "groups": [1, 3],
            "weight_bits": [2, 3, 4, 8],
            "most": MULTIPLES,
        },
        conv2d,
    ),
    "conv2d_pixel": Case(
        {
            "images": [1, 1, 3],
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
            "most": MULTIPLES,
        },
        matmul,
    ),
    "permuted_linear": Case(
        {"rows": [1, 7], "depth": [6, 17], "columns": [3, 8], "groups": [2, 4], "bits": [4, 6, 8]},
        permuted_linear,
    ),
}
