"""How close a compiled program stays to its float model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ..execution.compiled_program import CompiledProgram
from ..execution.verify import evenly_spaced
from ..frontends.loading.arguments import call_arguments
from ..ir.calibration import Calibration

SAMPLES = 2
"""Of the first batch of each call."""
BOUNDS = {8: 20.0, 6: 15.0, 4: 10.0}
"""Decibels below which a program of so many bits, the fewer of activations and of what weights count as, is
worth a warning."""
TWO_BITS = 5.0
"""The same where weights have 2 bits."""
EXACT_DB = 200.0
"""Stands for no noise at all, which JSON has no number for."""


@dataclass(frozen=True)
class Quality:
    """What a check of a compiled program found, in decibels of signal to noise.

    calls: of the UNet's output at some calls, by step. drawing: of what enters the last call of a whole
    drawing, all errors before included; None where none was made. origin: of the samples. unseen: whether
    calibration didn't see them. bound: what is expected of such a program. weakest: the layers with the least
    signal to noise, by their place in the model, from `measure-error`.
    """

    calls: Mapping[int, float]
    drawing: float | None
    origin: str
    unseen: bool
    bound: float
    weakest: Mapping[str, float]

    @property
    def least(self) -> float:
        """The worst figure."""
        return min([*self.calls.values(), *([] if self.drawing is None else [self.drawing])])

    @property
    def kept(self) -> bool:
        """Whether nothing is below the bound."""
        return self.least >= self.bound

    def sentence(self) -> str:
        """One line for people."""
        worst = min(self.calls, key=self.calls.__getitem__)
        mean = sum(self.calls.values()) / len(self.calls)
        drawing = "" if self.drawing is None else f", {self.drawing:.1f} dB after a whole drawing"
        which = "samples that did not calibrate" if self.unseen else "samples that calibrated it"
        return (
            f"Signal to noise: {mean:.1f} dB by call (worst {self.calls[worst]:.1f} at call {worst})"
            f"{drawing}, on {which}."
        )

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        found = asdict(self)
        found["calls"] = {str(step): value for step, value in self.calls.items()}
        return found | {"least": self.least, "sentence": self.sentence()}


def bound_for(weight_bits: int, activation_bits: int) -> float:
    """Decibels that a program of these widths is expected to keep, whatever the model.

    4-bit weights count as 6 bits, and 3-bit ones as 4, since compensation makes up for some of their error.
    """
    if weight_bits <= 2:
        return TWO_BITS
    bits = min(activation_bits, 8 if weight_bits > 6 else 6 if weight_bits > 3 else 4)
    return next(BOUNDS[known] for known in sorted(BOUNDS, reverse=True) if bits >= known or known == 4)


def decibels(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """10 log10(sum y^2 / sum (y - y^)^2), between -200 and 200, to hundredths."""
    signal = float(wanted.double().square().sum())
    noise = float((wanted - found).double().square().sum())
    if not noise:
        return EXACT_DB
    if not signal or not math.isfinite(noise):
        return -EXACT_DB
    return round(max(-EXACT_DB, min(EXACT_DB, 10 * math.log10(signal / noise))), 2)


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
            wanted: torch.Tensor = model(
                **call_arguments(inputs, model), timestep=timestep, return_dict=False
            )[0]
        found = compiled.answer(inputs, step=step)
        signal += float(wanted.double().square().sum())
        noise += float((wanted - found).double().square().sum())
    return 10 * math.log10(signal / noise) if noise else math.inf
