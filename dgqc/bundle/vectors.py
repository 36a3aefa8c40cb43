"""Integer inputs for comparing backends: seeded random values and extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import torch

from ..backends import reference
from ..ir.arithmetic.noise import normal_noise
from ..ir.caching import CachingGraph, FeatureCache, calls_of
from ..ir.drawing import UNGUIDED, Drawing, fixed_guidance
from ..ir.program import Program
from ..ir.vector import DrawingVector, Vector

LOWEST, HIGHEST = -32768, 32767
EXTREMES = ("zeros", "lowest", "highest", "alternating")
"""Inputs that saturate whatever can."""
GUIDANCE = 2.5
"""Of pictures that are drawn for comparison."""
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


@dataclass(frozen=True)
class ReferenceEvidence:
    """What the reference computes for the tests of emitted projects, when it is first asked for."""

    program: Program

    @cached_property
    def vectors(self) -> Sequence[Vector]:
        return reference_vectors(self.program)

    def at(self, size: str) -> ReferenceEvidence:
        """Of the same model at another size."""
        return ReferenceEvidence(self.program.sizes[size])

    @cached_property
    def drawing(self) -> DrawingVector | None:
        return reference_drawing(self.program)


def reference_vectors(program: Program) -> Sequence[Vector]:
    """Inputs with the reference's output for emitted projects: at the first, the middle and the last step.

    They are one sequence, to be run in their order: where a value is cached, a shallow call follows the first
    one and the last full one.
    """
    count, calls = len(program.schedule), CachingGraph(program.graph)
    steps, first = {0, count // 2, count - 1}, {0}
    if sources := calls.kinds.sources:
        steps, first = {0, 1, sources[-1], count - 1}, {0, 1}
    vectors, cache = [], FeatureCache()
    for step in sorted(first if _billions(program) > LARGE else steps):
        inputs, shallow = random_inputs(program, seed=step), calls.is_shallow(cache, step)
        held = cache.held.kept(calls.kinds.two) if shallow else None
        alone = reference.run(program, inputs, step) if calls.is_amended(cache, step) else None
        vectors.append(Vector(step, inputs, reference.run(program, inputs, step, cache), held, alone))
    return vectors


def reference_drawing(program: Program) -> DrawingVector | None:
    """What the reference draws from seed 0, random conditions and guidance where there are any, for the C
    project; None without a loop and where that takes minutes."""
    if program.loop is None or 2 * _billions(program) * len(program.schedule) > LARGE:
        return None
    drawing = random_drawing(program, seed=0)
    picture = program.loop.run(calls_of(partial(reference.run, program), program), drawing)
    return DrawingVector(0, dict(drawing.conditions), picture, dict(drawing.negative), drawing.guidance)


def random_drawing(program: Program, seed: int) -> Drawing:
    """Noise of a seed, and a program's other inputs at random, guided where it has any.

    program: with a loop."""
    sample, *others = program.inputs
    pictures = 1 if program.loop is None else program.loop.noise_pictures
    given, negative = (random_inputs(program, place) for place in (seed, seed + 1))
    for inputs in (given, negative):
        del inputs[sample.name]
    guidance = fixed_guidance(GUIDANCE) if others else UNGUIDED
    return Drawing(noise_of(seed, pictures, sample.shape), given, negative, guidance)


def noise_of(seed: int, pictures: int, shape: Sequence[int]) -> torch.Tensor:
    """int16 noise of a seed: so many pictures of a sample's shape (1, ...) on the first axis."""
    each = math.prod(shape)
    return normal_noise(seed, pictures * each).reshape(pictures, *shape[1:])


def _billions(program: Program) -> float:
    """10^9 multiply-accumulates a call, 0 where nobody counted."""
    return float(program.report.get("summary", {}).get("macs_g", 0))


def _extreme(shape: tuple[int, ...], kind: str) -> torch.Tensor:
    if kind == "alternating":
        count = torch.Size(shape).numel()
        return torch.where(torch.arange(count) % 2 == 0, LOWEST, HIGHEST).to(torch.int16).reshape(shape)
    value = {"zeros": 0, "lowest": LOWEST, "highest": HIGHEST}[kind]
    return torch.full(shape, value, dtype=torch.int16)
