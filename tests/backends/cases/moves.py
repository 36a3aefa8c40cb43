"""Values in other places."""

from __future__ import annotations

import torch
from torch import fx

from ..integer_graph import IntegerGraph
from .case import FLAGS, IMAGES, SHAPES, Case

dgqc, aten = torch.ops.dgqc, torch.ops.aten


def gather(graph: IntegerGraph, shape: tuple[int, ...], last: bool) -> fx.Node:
    (x,) = graph.take(x=shape)
    axis = len(shape) - (1 if last else 2)
    order = torch.randperm(shape[axis], generator=graph.random).to(torch.int32)
    return graph.call(dgqc.gather.default, x, graph.constant(order), axis)


def upsample(graph: IntegerGraph, image: tuple[int, int], channels: int, size: tuple[int, int]) -> fx.Node:
    (x,) = graph.take(x=(1, *image, channels))
    return graph.call(dgqc.upsample_nearest.default, x, *size)


def avg_pool2d(
    graph: IntegerGraph, image: tuple[int, int], channels: int, kernel: int, stride: int
) -> fx.Node:
    (x,) = graph.take(x=(1, *image, channels))
    return graph.call(dgqc.avg_pool2d.default, x, kernel, stride)


def views(graph: IntegerGraph, heads: int, rows: int, size: int) -> fx.Node:
    """What torch-mlir lowers: reshape, permute, slice, cat."""
    (x,) = graph.take(x=(1, rows, heads * size))
    split = graph.call(aten.reshape.default, x, [1, rows, heads, size])
    swapped = graph.call(aten.permute.default, split, [0, 2, 1, 3])
    some = graph.call(aten.slice.Tensor, swapped, 3, size // 2, size)
    return graph.call(aten.cat.default, [some, swapped], 3)


CASES = {
    "gather": Case({"shape": SHAPES, "last": FLAGS}, gather),
    "upsample": Case(
        {"image": [(3, 4), (2, 5)], "channels": [1, 8], "size": [(6, 20), (5, 9), (6, 8)]},
        upsample,
    ),
    "avg_pool2d": Case(
        {"image": IMAGES, "channels": [1, 6], "kernel": [1, 2, 3], "stride": [1, 2]},
        avg_pool2d,
    ),
    "views": Case({"heads": [1, 3], "rows": [1, 5], "size": [2, 6]}, views),
}
