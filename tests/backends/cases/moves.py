"""Values in other places."""

from __future__ import annotations

import torch
from torch import fx

from ..integer_graph import IntegerGraph
from .case import FLAGS, IMAGES, SHAPES, Case, pictures

dgqc, aten = torch.ops.dgqc, torch.ops.aten


def gather(graph: IntegerGraph, shape: tuple[int, ...], last: bool) -> fx.Node:
    (x,) = graph.take(x=shape)
    axis = len(shape) - (1 if last else 2)
    order = torch.randperm(shape[axis], generator=graph.random).to(torch.int32)
    return graph.call(dgqc.gather.default, x, graph.constant(order), axis)


def take(graph: IntegerGraph, shape: tuple[int, ...], axis: int, count: int) -> fx.Node:
    (x,) = graph.take(x=shape)
    axis %= len(shape)
    return graph.call(dgqc.take.default, x, graph.table(0, shape[axis] - 1, count), axis)


def embed(graph: IntegerGraph, tokens: int, rows: int, columns: int) -> fx.Node:
    (ids,) = graph.take(input_ids=(1, tokens))
    return graph.call(dgqc.embed.default, graph.table(-99, 99, rows, columns, dtype=torch.int16), ids)


def end_token(graph: IntegerGraph, tokens: int, columns: int, end: int) -> fx.Node:
    """Ids of a small table too, so that an end is there, and several times."""
    ids, x = graph.take(input_ids=(1, tokens), x=(1, tokens, columns))
    few = graph.call(dgqc.embed.default, graph.table(-2, 2, 7, 1, dtype=torch.int16), ids)
    some = graph.call(aten.reshape.default, few, [1, tokens])
    return graph.call(dgqc.end_token.default, x, ids if end < -1 else some, max(end, -1))


def upsample(
    graph: IntegerGraph, image: tuple[int, int], channels: int, size: tuple[int, int], images: int = 1
) -> fx.Node:
    x = pictures(graph, images, *image, channels)
    return graph.call(dgqc.upsample_nearest.default, x, *size)


def avg_pool2d(
    graph: IntegerGraph, image: tuple[int, int], channels: int, kernel: int, stride: int, images: int = 1
) -> fx.Node:
    x = pictures(graph, images, *image, channels)
    return graph.call(dgqc.avg_pool2d.default, x, kernel, stride)


def max_pool2d(
    graph: IntegerGraph,
    image: tuple[int, int],
    channels: int,
    window: tuple[list[int], list[int], list[int]],
    images: int = 1,
) -> fx.Node:
    x = pictures(graph, images, *image, channels)
    return graph.call(dgqc.max_pool2d.default, x, *window)


def views(graph: IntegerGraph, heads: int, rows: int, size: int) -> fx.Node:
    """What torch-mlir lowers: reshape, permute, slice, cat."""
    (x,) = graph.take(x=(1, rows, heads * size))
    split = graph.call(aten.reshape.default, x, [1, rows, heads, size])
    swapped = graph.call(aten.permute.default, split, [0, 2, 1, 3])
    some = graph.call(aten.slice.Tensor, swapped, 3, size // 2, size)
    return graph.call(aten.cat.default, [some, swapped], 3)


def cached(graph: IntegerGraph, shape: tuple[int, ...], shallow: bool) -> fx.Node:
    """With sums that saturate and sums that don't; beside x, since a call that only hands it on is none."""
    (x,) = graph.take(x=shape)
    source = graph.constant(torch.zeros(graph.steps, dtype=torch.int32))
    factor = graph.table(-(2**16), 2**16, graph.steps, shape[-1])
    offset = graph.table(-(2**30), 2**30, graph.steps, shape[-1])
    axis = len(shape) - 1
    y = graph.call(dgqc.cached.default, x, graph.step, source, factor, offset, axis, shallow)
    return graph.call(aten.cat.default, [y, x], axis)


CASES = {
    "gather": Case({"shape": SHAPES, "last": FLAGS}, gather),
    "take": Case({"shape": SHAPES, "axis": [-1, -2, -3], "count": [1, 4, 9]}, take),
    "embed": Case({"tokens": [1, 7, 77], "rows": [1, 5, 300], "columns": [1, 8, 33]}, embed),
    "end_token": Case({"tokens": [1, 5, 77], "columns": [1, 9], "end": [-2, -1, 1, 2, 3]}, end_token),
    "max_pool2d": Case(
        {
            "images": [1, 1, 3],
            "image": IMAGES,
            "channels": [1, 6],
            "window": [([2, 2], [2, 2], [0, 0]), ([3, 3], [2, 2], [1, 1]), ([3, 2], [1, 2], [1, 0])],
        },
        max_pool2d,
    ),
    "upsample": Case(
        {
            "images": [1, 1, 3],
            "image": [(3, 4), (2, 5)],
            "channels": [1, 8],
            "size": [(6, 20), (5, 9), (6, 8)],
        },
        upsample,
    ),
    "avg_pool2d": Case(
        {"images": [1, 1, 3], "image": IMAGES, "channels": [1, 6], "kernel": [1, 2, 3], "stride": [1, 2]},
        avg_pool2d,
    ),
    "cached": Case({"shape": SHAPES, "shallow": FLAGS}, cached),
    "views": Case({"heads": [1, 3], "rows": [1, 5], "size": [2, 6]}, views),
}
