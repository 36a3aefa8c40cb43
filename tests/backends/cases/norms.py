"""Norms and means, with gains and offsets of all sizes."""

from __future__ import annotations

import torch
from torch import fx

from ..integer_graph import IntegerGraph
from .case import FLAGS, SIZES, Case, pictures

dgqc = torch.ops.dgqc


def norm_tables(graph: IntegerGraph, channels: int, *sets: int) -> tuple[fx.Node, ...]:
    """sets: how many have an epsilon of their own."""
    return (
        graph.table(-(2**31) + 1, 2**31 - 1, channels),
        graph.table(2**20, 2**31 - 1, graph.steps),
        graph.table(0, 40, graph.steps),
        graph.table(-(2**31) + 1, 2**31 - 1, channels),
        graph.table(-(2**30), 2**30, graph.steps),
        graph.table(30, 50, graph.steps),
        graph.table(1, 2**34, graph.steps, *sets, dtype=torch.int64),
    )


def group_norm(
    graph: IntegerGraph, image: tuple[int, ...], groups: int, size: int, own: bool, images: int = 1
) -> fx.Node:
    x = pictures(graph, images, *image, groups * size)
    tables = norm_tables(graph, groups * size, *([groups] if own else []))
    return graph.call(dgqc.group_norm.default, x, graph.step, groups, *tables)


def norm_in_parts(graph: IntegerGraph, lines: int, cut: int, groups: int, size: int, own: bool) -> fx.Node:
    """An image that is cut once."""
    aten, channels = torch.ops.aten, groups * size
    (x,) = graph.take(x=(1, lines, 3, channels))
    bounds = [(0, cut), (cut, lines)] if cut < lines else [(0, lines)]
    parts = [graph.call(aten.slice.Tensor, x, 1, *bound, 1) for bound in bounds]
    sums = None
    for part in parts:
        sums = graph.call(dgqc.channel_sums.default, sums, part)
    tables = (graph.step, groups, *norm_tables(graph, channels, *([groups] if own else [])))
    found = [graph.call(dgqc.normalize.default, part, sums, 3 * lines, *tables) for part in parts]
    return graph.call(aten.cat.default, found, 1)


def layer_norm(graph: IntegerGraph, rows: int, channels: int) -> fx.Node:
    (x,) = graph.take(x=(1, rows, channels))
    return graph.call(dgqc.layer_norm.default, x, graph.step, *norm_tables(graph, channels))


def rms_norm(graph: IntegerGraph, rows: int, channels: int) -> fx.Node:
    (x,) = graph.take(x=(1, rows, channels))
    gamma, gamma_factor, gamma_shift, _, _, _, epsilon = norm_tables(graph, channels)
    return graph.call(dgqc.rms_norm.default, x, graph.step, gamma, gamma_factor, gamma_shift, epsilon)


def mean(graph: IntegerGraph, rows: int, channels: int) -> fx.Node:
    (x,) = graph.take(x=(1, rows, channels))
    factors = (graph.table(0, 2**31 - 1, graph.steps), graph.table(20, 40, graph.steps))
    return graph.call(dgqc.mean.default, x, graph.step, *factors)


def shares(graph: IntegerGraph, rows: int, channels: int) -> fx.Node:
    (x,) = graph.take(x=(1, rows, channels))
    octaves = (graph.table(0, 2**31 - 1, graph.steps), graph.table(1, 62, graph.steps))
    factors = (graph.table(0, 2**31 - 1, graph.steps), graph.table(40, 50, graph.steps))
    return graph.call(dgqc.softmax.default, x, graph.step, *octaves, *factors)


CASES = {
    "group_norm": Case(
        {
            "images": [1, 1, 3],
            "image": [(1,), (4, 5), (9,)],
            "groups": [1, 2, 4],
            "size": [1, 3, 8],
            "own": FLAGS,
        },
        group_norm,
    ),
    "norm_in_parts": Case(
        {"lines": [4, 7], "cut": [1, 3, 9], "groups": [1, 2, 4], "size": [1, 3, 8], "own": FLAGS},
        norm_in_parts,
    ),
    "layer_norm": Case({"rows": SIZES, "channels": [1, 8, 33]}, layer_norm),
    "rms_norm": Case({"rows": SIZES, "channels": [1, 8, 33]}, rms_norm),
    "mean": Case({"rows": SIZES, "channels": [1, 8, 33]}, mean),
    "shares": Case({"rows": SIZES, "channels": [1, 8, 33]}, shares),
}
