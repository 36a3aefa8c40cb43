"""The reference backend: the integer graph itself, in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...ir.caching import CachingGraph, FeatureCache, cached_node
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.parallel import single_threaded
from ...ir.program import Program


@single_threaded()  # Once for a call, whose ops share out their blocks.
def run(
    program: Program, inputs: Mapping[str, torch.Tensor], step: int, cache: FeatureCache | None = None
) -> torch.Tensor:
    """One UNet call of one sample.

    inputs: int16 tensors by name, in the program's shapes. step: of the schedule. cache: of the drawing, for
    a program that has shallow calls; without one the call is full. Returns int16, contiguous.
    Raises DgqcError when the program isn't at the integer level, an input is missing or the step isn't in the
    schedule.
    """
    if program.level is not Level.INTEGER:
        raise DgqcError(f"The reference backend takes programs at the integer level, not {program.level}.")
    if not 0 <= step < len(program.schedule):
        raise DgqcError(f"Step {step} is outside the program's schedule, 0 .. {len(program.schedule) - 1}.")
    missing = [item.name for item in program.inputs if item.name not in inputs]
    if missing:
        raise DgqcError(f"The input {missing[0]} is missing; the program takes it as int16.")
    given = tuple(inputs[item.name] for item in program.inputs)
    with torch.no_grad():
        if cache is not None and cached_node(program.graph.graph) is not None:
            return CachingGraph(program.graph).run(cache, step, *given).contiguous()
        result = program.graph(*given, torch.tensor(step))
    assert isinstance(result, torch.Tensor)
    return result.contiguous()
