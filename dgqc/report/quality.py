"""How close a compiled program stays to its float model."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..execution.compiled_program import CompiledProgram
from ..execution.verify import evenly_spaced
from ..frontends.loading.model_inputs import call_arguments
from ..ir.calibration import Calibration

SAMPLES = 2
"""Of the first batch of each call."""


def signal_to_noise(
    compiled: CompiledProgram, model: nn.Module, samples: Calibration, calls: int = 5
) -> float:
    """Signal-to-noise ratio of the program's output in decibels, over evenly spaced calls.

    10 log10(sum y^2 / sum (y - y^)^2), y the float model's output on the same inputs, y^ the program's.
    model: a diffusers UNet. samples: recorded inputs, of the program's schedule. Infinite if nothing differs.
    """
    signal = noise = 0.0
    for step in evenly_spaced(len(samples.schedule), calls):
        inputs = {name: value[:SAMPLES] for name, value in next(samples.read(step)).items()}
        timestep = samples.schedule.timesteps[step]
        with torch.no_grad():
            wanted: torch.Tensor = model(**call_arguments(inputs), timestep=timestep, return_dict=False)[0]
        found = compiled.answer(inputs, step=step)
        signal += float(wanted.double().square().sum())
        noise += float((wanted - found).double().square().sum())
    return 10 * math.log10(signal / noise) if noise else math.inf
