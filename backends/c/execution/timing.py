"""Where the time of a call goes, by the place in the model."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import torch
from torch import fx

from ....ir.ops.integer import is_product
from ....ir.program import Program
from ....ir.storage.leftovers import temporary_folder
from ....passes.graph.edit import module_path
from ..layout.plan import layout_of
from .clocked import ClockedProgram


def seconds_by_module(
    laid_out: Program, inputs: Mapping[str, torch.Tensor], repeats: int
) -> dict[str, float]:
    """The median seconds of a first call on one thread, by the place in the model, in the order of running.

    What runs together counts as one, and stands under its product. Raises DgqcError as `build` does.
    """
    fusion = layout_of(laid_out).fusion
    assert fusion is not None
    nodes = {node.name: node for node in laid_out.graph.graph.nodes}
    groups = [[nodes[name] for name in group.nodes] for group in fusion.groups]
    with temporary_folder("timing") as folder:
        program = ClockedProgram(laid_out, folder)
        measured = [_by_group(program, inputs, len(groups)) for _ in range(repeats + 1)][1:]
    found: dict[str, float] = {}
    for group, times in zip(groups, zip(*measured, strict=True), strict=True):
        module = _module(group)
        found[module] = found.get(module, 0.0) + statistics.median(times)
    return found


def _by_group(program: ClockedProgram, inputs: Mapping[str, torch.Tensor], count: int) -> list[float]:
    """Seconds of each group in one call."""
    seconds = [0.0] * count
    for call, some in zip(program.calls, program.seconds(inputs), strict=True):
        seconds[call.group] += some
    return seconds


def _module(group: list[fx.Node]) -> str:
    """The product's place, or that of the first of them."""
    return module_path(next((node for node in group if is_product(node)), group[0]))
