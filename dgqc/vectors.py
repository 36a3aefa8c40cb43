"""Integer inputs for comparing backends: seeded random values and extremes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .ir.program import Program

if TYPE_CHECKING:
    from .backends.c import Vector
    from .compiled_program import CompiledProgram

LOWEST, HIGHEST = -32768, 32767
EXTREMES = ("zeros", "lowest", "highest", "alternating")
"""Inputs that saturate whatever can."""
LARGE = 20
"""From so many 10^9 multiply-accumulates on, a reference call takes minutes, and one vector must do."""


def random_inputs(program: Program, seed: int) -> dict[str, torch.Tensor]:
    """One sample of int16 inputs that look like calibrated ones: normal, a quarter of the range wide."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {}
    for given in program.inputs:
        values = torch.randn(given.shape, generator=generator, dtype=torch.float64) * 8192
        inputs[given.name] = values.round().clamp(LOWEST, HIGHEST).to(torch.int16)
    return inputs


def extreme_inputs(program: Program, kind: str) -> dict[str, torch.Tensor]:
    """One sample of int16 inputs at the ends of the range. kind: one of `EXTREMES`."""
    return {given.name: _extreme(given.shape, kind) for given in program.inputs}


def reference_vectors(compiled: CompiledProgram) -> Sequence[Vector]:
    """Inputs with the reference's output for the C project: at the first, the middle and the last call."""
    from .backends.c import Vector

    calls = len(compiled.program.schedule)
    large = compiled.report.get("summary", {}).get("macs_g", 0) > LARGE
    vectors = []
    for step in {0} if large else sorted({0, calls // 2, calls - 1}):
        inputs = random_inputs(compiled.program, seed=step)
        output = compiled.run_integers(inputs, step, backend="reference")
        vectors.append(Vector(step, inputs, output))
    return vectors


def _extreme(shape: tuple[int, ...], kind: str) -> torch.Tensor:
    if kind == "alternating":
        count = torch.Size(shape).numel()
        return torch.where(torch.arange(count) % 2 == 0, LOWEST, HIGHEST).to(torch.int16).reshape(shape)
    value = {"zeros": 0, "lowest": LOWEST, "highest": HIGHEST}[kind]
    return torch.full(shape, value, dtype=torch.int16)
