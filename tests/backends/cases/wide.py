"""Wide values: sums, norms, activation functions and products from or to them."""

from __future__ import annotations

import torch
from torch import fx

from dgqc.ir.arithmetic.lookup import activation_table, sigmoid

from ..integer_graph import IntegerGraph
from .case import FLAGS, SHAPES, Case, pictures
from .norms import norm_tables
from .products import conv2d, linear

dgqc = torch.ops.dgqc
WIDE = 20


def widened(graph: IntegerGraph, x: fx.Node, wide: bool) -> fx.Node:
    """Some of the values saturate."""
    factors = (graph.table(2**29, 2**30, graph.steps), graph.table(25, 27, graph.steps))
    return graph.call(dgqc.rescale.default, x, graph.step, *factors, WIDE) if wide else x


def narrowed(graph: IntegerGraph, y: fx.Node) -> fx.Node:
    """Programs return 16-bit values."""
    factors = (graph.table(2**29, 2**30, graph.steps), graph.table(31, 35, graph.steps))
    return graph.call(dgqc.rescale.default, y, graph.step, *factors)


def wide_sum(graph: IntegerGraph, shape: tuple[int, ...], which: str, columns: bool, row: bool) -> fx.Node:
    """which: of a, b and the result are wide. row: b is one row."""
    a, b = graph.take(a=shape, b=(1,) * (len(shape) - 1) + shape[-1:] if row else shape)
    a, b = widened(graph, a, "a" in which), widened(graph, b, "b" in which)
    factors = [graph.table(-(2**30), 2**30, graph.steps) for _ in range(2)]
    own = [graph.table(0, 2**31 - 1, shape[-1]) for _ in range(2)] if columns else [None, None]
    tables = (*factors, graph.table(25, 35, graph.steps), *own)
    y = graph.call(dgqc.add.default, a, b, graph.step, *tables, WIDE if "y" in which else 16)
    return narrowed(graph, y) if "y" in which else y


def wide_norm(
    graph: IntegerGraph, image: tuple[int, ...], groups: int, size: int, which: str, images: int
) -> fx.Node:
    x = pictures(graph, images, *image, groups * size)
    tables = norm_tables(graph, groups * size, *([groups] if size > 1 else []))
    x = widened(graph, x, "x" in which)
    y = graph.call(dgqc.group_norm.default, x, graph.step, groups, *tables, WIDE if "y" in which else 16)
    return narrowed(graph, y) if "y" in which else y


def wide_activation(graph: IntegerGraph, shape: tuple[int, ...], shift: int, columns: bool) -> fx.Node:
    (x,) = graph.take(x=shape)
    place = (graph.table(0, 2**15 - 1, graph.steps), graph.table(shift, shift + 9, graph.steps))
    factors = (graph.table(2**20, 2**26 - 1, graph.steps), graph.table(30, 52, graph.steps))
    table = graph.constant(activation_table(sigmoid, 16.0))
    own = (graph.table(0, 90, shape[-1]), graph.table(0, 2**31 - 1, shape[-1])) if columns else ()
    wide = widened(graph, x, True)
    return graph.call(dgqc.activation.default, wide, graph.step, table, *place, *factors, *own)


def wide_product(graph: IntegerGraph, window: int, bits: int, groups: int) -> fx.Node:
    """window: of a convolution; of none a linear."""
    if window:
        y = conv2d(graph, (5, 4), 6, 9, ([window] * 2, [1, 1], [window // 2] * 2), bits, groups, 8)
    else:
        y = linear(graph, 1, 5, 7, 19, bits, groups, False, 4)
    y.args = (*y.args, WIDE)
    return narrowed(graph, y)


CASES = {
    "wide_sum": Case(
        {"shape": SHAPES, "which": ["a", "b", "y", "ay", "aby"], "columns": FLAGS, "row": FLAGS}, wide_sum
    ),
    "wide_norm": Case(
        {
            "images": [1, 1, 3],
            "image": [(1,), (4, 5)],
            "groups": [1, 4],
            "size": [1, 3],
            "which": ["x", "y", "xy"],
        },
        wide_norm,
    ),
    "wide_activation": Case({"shape": SHAPES, "shift": [4, 12, 40], "columns": FLAGS}, wide_activation),
    "wide_product": Case({"window": [0, 1, 3], "bits": [8, 16], "groups": [1, 2]}, wide_product),
}
