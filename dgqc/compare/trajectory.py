"""Signal to noise of the UNet's output at each call, on the float model's own trajectories."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ..frontends.loading.arguments import call_arguments
from ..ir.calibration import Calibration, Inputs
from ..ir.parallel import side_by_side, single_threaded
from ..ir.progress import track

Answer = Callable[[Inputs, int], torch.Tensor]
"""answer(inputs, step): one UNet call on a batch."""

MOST_DB = 200.0
"""Stands for no noise at all, which JSON has no number for."""


@dataclass(frozen=True)
class Reference:
    """The float model's inputs and output at one call."""

    inputs: Inputs
    wanted: torch.Tensor


def references(model: nn.Module, held_out: Calibration) -> list[Reference]:
    """One for each call of the schedule, all recorded samples in each. Threads don't change them."""

    def reference(step: int) -> Reference:
        batches = list(held_out.read(step))
        inputs = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
        timestep = held_out.schedule.timesteps[step]
        with torch.no_grad():
            return Reference(
                inputs, model(**call_arguments(inputs, model), timestep=timestep, return_dict=False)[0]
            )

    return list(side_by_side(reference, range(len(held_out.schedule))))


def signal_to_noise(answer: Answer, against: list[Reference]) -> list[float]:
    """Decibels at each call: 10 log10(sum y^2 / sum (y - y^)^2)."""
    calls = track(enumerate(against), "comparing calls", len(against))
    return [decibels(one.wanted, answer(one.inputs, step)) for step, one in calls]


def decibels(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """10 log10 of signal over noise, at most `MOST_DB`."""
    with single_threaded():
        noise = float((wanted - found).double().square().sum())
        signal = float(wanted.double().square().sum())
    if not noise:
        return MOST_DB
    if not signal or not math.isfinite(noise):
        return -MOST_DB
    return min(10 * math.log10(signal / noise), MOST_DB)
