"""Integer inputs for comparing backends: seeded random values and extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..ir.arithmetic.noise import normal_noise
from ..ir.program import Program
from ..ir.vector import Vector

if TYPE_CHECKING:
    from ..backends.c import Drawing
    from ..execution.compiled_program import CompiledProgram

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
    """Inputs with the reference's output for emitted projects: at the first, the middle and the last call."""
    calls = len(compiled.program.schedule)
    large = compiled.report.get("summary", {}).get("macs_g", 0) > LARGE
    vectors = []
    for step in {0} if large else sorted({0, calls // 2, calls - 1}):
        inputs = random_inputs(compiled.program, seed=step)
        output = compiled.run_integers(inputs, step, backend="reference")
        vectors.append(Vector(step, inputs, output))
    return vectors


def reference_drawing(compiled: CompiledProgram) -> Drawing | None:
    """What the reference draws from seed 0 and random conditions, for the C project; None without a loop and
    where that takes minutes."""
    from ..backends.c import Drawing

    program = compiled.program
    calls = len(program.schedule)
    if program.loop is None or compiled.report.get("summary", {}).get("macs_g", 0) * calls > LARGE:
        return None
    noise, conditions = drawing_inputs(program, seed=0)
    return Drawing(0, conditions, compiled.draw_integers(noise, conditions, backend="reference"))


def drawing_inputs(program: Program, seed: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """int16 noise of a seed in the sample's shape, and a program's other inputs at random."""
    sample, *_ = program.inputs
    noise = normal_noise(seed, math.prod(sample.shape)).reshape(sample.shape)
    conditions = random_inputs(program, seed)
    del conditions[sample.name]
    return noise, conditions


def _extreme(shape: tuple[int, ...], kind: str) -> torch.Tensor:
    if kind == "alternating":
        count = torch.Size(shape).numel()
        return torch.where(torch.arange(count) % 2 == 0, LOWEST, HIGHEST).to(torch.int16).reshape(shape)
    value = {"zeros": 0, "lowest": LOWEST, "highest": HIGHEST}[kind]
    return torch.full(shape, value, dtype=torch.int16)
