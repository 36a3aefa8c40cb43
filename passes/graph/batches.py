"""How many samples a graph runs at once, and what memory that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import fx

from ...ir.calibration import samples_in
from ...ir.program import Program
from .large_attention import BLOCK, never_held

AT_ONCE = 2**26
"""Elements of the largest value of a batch that is run at once: 256 MB, of which several live at a time."""
ALIVE = 8
"""How many values as large as the largest live at a time, at most."""
LARGE_BATCH = 16
BY_ROWS = 4
"""Most samples at once where attention is taken by rows, which are the fewer the more samples there are."""
FLOAT_BYTES = 4


def arguments(program: Program, inputs: Mapping[str, torch.Tensor]) -> Iterator[tuple[torch.Tensor, ...]]:
    """The graph's arguments, without `step`, for recorded inputs of the model.

    One tuple for the whole batch; for a part of it each where its values would be large; for a sample each
    where the graph mixes a batch.
    """
    count, together = samples_in(inputs), samples_at_once(program)
    for first in range(0, count, together):
        part = {name: value[first : first + together] for name, value in inputs.items()}
        if program.prologue is None:
            yield tuple(part[item.name] for item in program.inputs)
        else:
            nodes = program.prologue.graph.nodes
            names = [str(node.target) for node in nodes if node.op == "placeholder"]
            yield program.prologue(*(part[name] for name in names))


def samples_at_once(program: Program) -> int:
    """How many samples' values are small enough to be computed together."""
    if not program.batched:
        return 1
    fitting = max(1, AT_ONCE // _largest(program))
    return min(fitting, BY_ROWS) if _by_rows(program) else fitting


def call_bytes(program: Program, samples: int = LARGE_BATCH) -> int:
    """About how much memory a float call takes with `arguments` of so many samples."""
    values = min(samples, samples_at_once(program)) * _largest(program) + BLOCK * bool(_by_rows(program))
    return FLOAT_BYTES * ALIVE * values


def _by_rows(program: Program) -> frozenset[fx.Node]:
    return never_held(program.graph.graph, program.plans)


def _largest(program: Program) -> int:
    """Elements of the largest value that is held, for one sample."""
    graph, rows = program.graph.graph, _by_rows(program)
    held = (node.meta.get("val") for node in graph.nodes if node.op == "call_function" and node not in rows)
    return max((value.numel() for value in held if isinstance(value, torch.Tensor)), default=1)
