"""Calibration that nobody recorded: pictures that the model's own pipeline draws, or denoising by itself."""

from __future__ import annotations

import copy
import inspect
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.moving import moved
from ...ir.parallel import single_threaded
from ...ir.ranks import share, shared_out
from ...ir.reading import explained
from ...ir.sample_size import SampleSize
from ...ir.schedule import Schedule
from ...ir.storage.mapped import let_go
from ..loading.answering import answer_of
from ..loading.exported_unet import ExportedUNet
from ..loading.model_inputs import ModelInput, model_config, model_inputs
from .conditions import Conditions, draw_conditions, invents
from .drawings import Drawings
from .lend import lent
from .recorder import Progress, versions
from .sample_by_sample import sample_by_sample

INSTEAD = "record samples with `dgqc calibrate` and give them instead"
BYTES_PER_PIXEL = 2**17
"""About what a UNet call takes for each pixel of a latent, at most."""
GUIDANCE = (1.0, 3.0, 7.5)
"""Scales of guidance, sample by sample: people use all of them."""
REHEARSED = 50
"""Calls, of which faults show in the first few."""


def synthesize(
    model: nn.Module,
    scheduler: Any,
    schedule: Schedule,
    samples: int = 8,
    batch_size: int = 4,
    seed: int = 0,
    sample_size: SampleSize | None = None,
    context_length: int = 77,
    progress: Progress | None = None,
    drawings: Drawings | None = None,
) -> Calibration:
    """Denoises `samples` latents from noise and keeps the UNet's inputs at every call.

    model: a diffusers UNet with weights, or an ExportedUNet.
    scheduler, schedule: from `schedule_for`; the scheduler is copied, not changed.
    drawings: the model's own pipeline, which then draws the pictures instead.

    A model that comes alone gets conditions as `draw_conditions` draws them; where it takes prompts, both
    halves of guidance are kept. Holds samples x calls x C x H x W float32 (twice with guidance), and each
    context once.
    Raises DgqcError where the scheduler's calls are not the schedule's, or where denoising runs away to
    infinity.
    """
    if samples < 1 or batch_size < 1:
        raise DgqcError(
            f"{samples} samples in batches of {batch_size} can't be drawn; give at least 1 of each."
        )
    if drawings is not None:
        return drawings.draw(schedule, samples, batch_size, seed, progress)
    _check_calls(scheduler, schedule)
    inputs = (
        model.inputs if isinstance(model, ExportedUNet) else model_inputs(model, sample_size, context_length)
    )
    size = 1 if isinstance(model, ExportedUNet) else batch_size
    counts = [min(size, samples - start) for start in range(0, samples, size)]
    tick = _Ticks(progress, share(len(counts)) * len(schedule))

    def trajectory(start: _Start) -> list[Inputs]:
        found: list[Inputs] = []
        for call in _denoise(model, scheduler, schedule, start):
            found.append(call)
            tick()
        return found

    starts = _starts(model, inputs, counts, seed)
    pixels = 2 * max(counts) * math.prod(inputs[0].shape[2:])
    # Of one trajectory the samples of a call are side by side.
    apart = nullcontext() if isinstance(model, ExportedUNet) else sample_by_sample(model)
    with single_threaded(), lent(model), apart:
        recorded = list(shared_out(trajectory, starts, pixels * BYTES_PER_PIXEL, one_by_one=len(counts) == 1))
    return Calibration(
        schedule,
        lambda step: iter([calls[step] for calls in recorded]),
        invents(model),
        denoised(model, samples),
        versions(),
    )


def denoised(model: nn.Module, samples: int) -> str:
    """Where so many samples of a model that comes alone are from, one line for the report."""
    counted = f"{samples} sample{'s' if samples > 1 else ''}"
    return f"{counted} denoised from noise{' with drawn contexts' if invents(model) else ''}"


@dataclass(frozen=True)
class _Start:
    """What the samples of a trajectory start from.

    sample: what the UNet takes. latents: (B, channels, H, W), those that it predicts. extra: the others, an
    inpainting mask, which stay as drawn. guidance: (B, 1, ...). generator: for noise between calls.
    """

    sample: ModelInput
    conditions: Conditions
    extra: torch.Tensor
    latents: torch.Tensor
    guidance: torch.Tensor
    generator: torch.Generator

    def inputs(self, scaled: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of one call, without a prompt first where the model takes prompts, as pipelines do."""
        given, empty = self.conditions.given, self.conditions.empty
        sample = torch.cat([scaled, self.extra], dim=1)
        if empty is None:
            return {"sample": sample, **given}
        both = {name: torch.cat([empty[name], given[name]]) for name in given}
        return {"sample": torch.cat([sample, sample]), **both}

    def guided(self, predicted: torch.Tensor) -> torch.Tensor:
        """One prediction of those that `inputs` led to."""
        if self.conditions.empty is None:
            return predicted
        without, given = predicted.chunk(2)
        return without + self.guidance * (given - without)


def _starts(
    model: nn.Module, inputs: Sequence[ModelInput], counts: Sequence[int], seed: int
) -> Iterator[_Start]:
    """One after another, from one generator; what trajectories draw later is their own."""
    generator, sample = torch.Generator().manual_seed(seed), inputs[0]
    channels = _latent_channels(model, sample)
    conditions = draw_conditions(model, inputs, sum(counts), generator)
    for index, count in enumerate(counts):
        first = sum(counts[:index])
        extra = torch.randn((count, sample.shape[1] - channels, *sample.shape[2:]), generator=generator)
        latents = torch.randn((count, channels, *sample.shape[2:]), generator=generator)
        guidance = torch.tensor([GUIDANCE[i % len(GUIDANCE)] for i in range(first, first + count)])
        yield _Start(
            sample,
            conditions.rows(first, count),
            extra,
            latents,
            guidance.reshape(-1, *[1] * (len(sample.shape) - 1)),
            torch.Generator().manual_seed(seed + 1 + index),
        )


class _Ticks:
    """Counts calls of all trajectories, in whatever order they are made."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done, self._lock = progress, total, 0, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress:
                self._progress(self._done, self._total)


def _denoise(model: nn.Module, scheduler: Any, schedule: Schedule, start: _Start) -> Iterator[Inputs]:
    """The UNet's inputs at each call, one after another."""
    own, options = _copied(scheduler)
    if "generator" in options:
        options["generator"] = start.generator
    channels = start.latents.shape[1]
    latents = start.latents * _first_scale(own)
    for step, timestep in enumerate(own.timesteps):
        with _denoising(own):
            inputs = start.inputs(_scaled(own, latents, timestep))
        assert inputs["sample"].shape[1:] == start.sample.shape[1:]
        yield inputs
        with _denoising(own), torch.no_grad():
            # Channels that it predicts beyond the sample's are a variance, which these schedulers don't take.
            predicted = start.guided(_answer(model, inputs, timestep)[:, :channels])
            let_go(*model.parameters())
            latents = own.step(predicted, timestep, latents, return_dict=False, **options)[0]
        if not bool(torch.isfinite(latents).all()):
            raise DgqcError(
                f"Denoising without prompts runs away to infinity at call {step} of {len(schedule)}; "
                f"{INSTEAD}."
            )


def _answer(model: nn.Module, inputs: Inputs, timestep: torch.Tensor) -> torch.Tensor:
    """The model's, computed where it is lent to; the scheduler stays on the CPU."""
    if isinstance(model, ExportedUNet):
        return answer_of(model, inputs, timestep)
    there = {name: moved(value) for name, value in inputs.items()}
    return answer_of(model, there, moved(timestep)).to(CPU)


def rehearse(scheduler: Any) -> None:
    """Makes the first calls' steps on zeros.

    Raises DgqcError for a scheduler that can't denoise from noise alone, as one that fills in a picture, or
    one that doesn't know what its model predicts.
    """
    own, options = _copied(scheduler)
    with _denoising(own):
        latents = torch.zeros(1, 1, 8, 8) * _first_scale(own)
        for timestep in own.timesteps[:REHEARSED]:
            _scaled(own, latents, timestep)
            latents = own.step(torch.zeros(1, 1, 8, 8), timestep, latents, return_dict=False, **options)[0]


def _check_calls(scheduler: Any, schedule: Schedule) -> None:
    calls = [float(timestep) for timestep in scheduler.timesteps]
    if calls != list(schedule.timesteps):
        raise DgqcError(
            f"The scheduler makes {len(calls)} calls, which are not the schedule's {len(schedule)}; take "
            "both from schedule_for."
        )


def _copied(scheduler: Any) -> tuple[Any, dict[str, Any]]:
    """A scheduler of a trajectory's own, and what its `step` takes beside the usual."""
    with _denoising(scheduler):
        own = copy.deepcopy(scheduler)
        return own, {"generator": None} if "generator" in inspect.signature(own.step).parameters else {}


def _denoising(scheduler: Any) -> AbstractContextManager[None]:
    return explained(f"A {type(scheduler).__name__} can't denoise from noise without prompts", INSTEAD)


def _first_scale(scheduler: Any) -> Any:
    """What noise is multiplied by first; those for flow matching don't say, and begin with noise itself."""
    return getattr(scheduler, "init_noise_sigma", 1.0)


def _scaled(scheduler: Any, latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """What the model is given; those for flow matching give it the latents themselves."""
    scale = getattr(scheduler, "scale_model_input", None)
    scaled: torch.Tensor = latents if scale is None else scale(latents, timestep)
    return scaled


def _latent_channels(model: nn.Module, sample: ModelInput) -> int:
    predicted = int(model_config(model).get("out_channels", sample.shape[1]))
    return min(predicted, sample.shape[1])
