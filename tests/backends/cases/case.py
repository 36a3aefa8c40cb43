"""What a case is, and what the families' cases share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from dgqc.ir.program import Program

from ..integer_graph import IntegerGraph

Inputs = dict[str, torch.Tensor]
FLAGS = [False, True]
BITS = [2, 4, 6, 8, 16]
SHAPES = [(1, 5, 7), (1, 33, 16), (1, 4, 6, 10), (1, 3, 3, 40)]
IMAGES = [(5, 5), (6, 9), (11, 7)]
SIZES = [1, 2, 3, 7, 16, 33]


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


def pictures(graph: IntegerGraph, images: int, *sizes: int) -> fx.Node:
    """Several images (images, *sizes), as frames come out of a sample."""
    (x,) = graph.take(x=(1, images, *sizes) if images > 1 else (1, *sizes))
    return graph.call(torch.ops.aten.reshape.default, x, [images, *sizes]) if images > 1 else x


MULTIPLES = [9, 400]
"""With the larger ones, beyond what lowering makes, products take several digits however small they are."""


def operand(
    graph: IntegerGraph, x: fx.Node, size: int, axis: int, bits: int, groups: int, most: int = 9
) -> tuple[Any, ...]:
    """Codes with groups along an axis of this size, and their tables; 16 bits are used as they are.

    most: the largest multiple.
    """
    if bits < 16:
        return graph.quantized(x, size, axis, bits, groups, most=most)
    zero, one = (graph.constant(torch.full((graph.steps, 1), n, dtype=torch.int32)) for n in (0, 1))
    return x, zero, one, graph.constant(torch.zeros(size, dtype=torch.uint8)), axis
