"""The reference backend: the integer graph itself, in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program


def run(program: Program, inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
    """One UNet call of one sample.

    inputs: int16 tensors by name, in the program's shapes. step: of the schedule. Returns int16,
    contiguous.
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
    with torch.no_grad():
        result = program.graph(*(inputs[item.name] for item in program.inputs), torch.tensor(step))
    assert isinstance(result, torch.Tensor)
    return result.contiguous()
