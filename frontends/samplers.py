"""What a diffusers scheduler does between two UNet calls, as real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ir.denoising import Combination, Sampler
from ..ir.errors import DgqcError
from ..ir.schedule import Schedule
from .schedules import schedule_for

SAMPLERS = ("ddim",)
"""Loops that can be compiled."""


def sampler_for(name: str, config: Mapping[str, Any] | None, schedule: Schedule) -> Sampler:
    """The sampler called `name`, with the betas of a pipeline's scheduler_config.json.

    config: None stands for DDIM with Stable Diffusion's betas. schedule: the calls of the program.
    Raises DgqcError for a scheduler or a setting of it that has no loop, and where its calls are not the
    schedule's.
    """
    if name not in SAMPLERS:
        raise DgqcError(f"There is no denoising loop {name!r}; choose one of {', '.join(SAMPLERS)}.")
    scheduler, calls = schedule_for(config, len(schedule))
    if calls.scheduler != "DDIMScheduler":
        raise DgqcError(
            f"The denoising loop ddim takes a DDIMScheduler, but the pipeline has a {calls.scheduler}; give "
            "the pipeline a DDIMScheduler with the same betas, or compile without a loop."
        )
    if calls != schedule:
        raise DgqcError(
            "The denoising loop's calls are not those that the program is compiled for; record the "
            "calibration with the pipeline's own DDIMScheduler."
        )
    return _ddim(scheduler)


def _ddim(scheduler: Any) -> Sampler:
    """DDIM without noise (eta = 0), equation (12) of its paper, with a the share of signal:

    next = sqrt(a') * clean + sqrt(1 - a') * noise; clean and noise follow from x = sqrt(a) * clean +
    sqrt(1 - a) * noise and what the model predicts. Only the clean picture is clipped, as diffusers does.
    """
    config = scheduler.config
    if config.thresholding:
        raise DgqcError(
            "The denoising loop can't threshold dynamically, since that sorts the picture at every call; set "
            "the scheduler's thresholding to false, or compile without a loop."
        )
    between = config.num_train_timesteps // scheduler.num_inference_steps
    combinations = []
    for timestep in scheduler.timesteps.tolist():
        before = timestep - between
        now = float(scheduler.alphas_cumprod[timestep].double())
        then = float(
            (scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod).double()
        )
        combinations.append(_combination(config.prediction_type, now, then, timestep))
    return Sampler(tuple(combinations), float(config.clip_sample_range) if config.clip_sample else None)


def _combination(kind: str, now: float, then: float, timestep: int) -> Combination:
    """now, then: the share of signal before and after the call."""
    signal, noise = now**0.5, (1 - now) ** 0.5
    kept, added = then**0.5, (1 - then) ** 0.5
    if kind == "sample" and noise > 0:
        return Combination(0.0, 1.0, kept, added / noise, -added * signal / noise)
    if kind == "epsilon" and signal > 0:
        return Combination(1 / signal, -noise / signal, kept, 0.0, added)
    if kind == "v_prediction":
        return Combination(signal, -noise, kept, added * noise, added * signal)
    if kind in ("sample", "epsilon"):
        what, there = ("noise", "signal") if kind == "epsilon" else ("the picture", "noise")
        raise DgqcError(
            f"The model predicts {what}, but timestep {timestep} holds no {there} to tell it from; use a "
            "schedule without that timestep, or compile without a loop."
        )
    raise DgqcError(
        f"The scheduler's prediction_type is {kind!r}, but the denoising loop knows sample, epsilon and "
        "v_prediction; compile without a loop."
    )
