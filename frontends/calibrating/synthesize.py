"""Calibration without prompts: denoising from noise with the model's own config."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError
from ...ir.schedule import Schedule
from ..loading.exported_unet import ExportedUNet
from ..loading.model_inputs import ModelInput, call_arguments, model_config, model_inputs
from .calibrate import Progress, versions

PIXELS_PER_LATENT = 8
"""Side of the square of pixels that one latent stands for, for the picture sizes in SDXL's time ids."""


def synthesize(
    model: nn.Module,
    scheduler: Any,
    schedule: Schedule,
    samples: int = 8,
    batch_size: int = 4,
    seed: int = 0,
    sample_size: tuple[int, int] | None = None,
    context_length: int = 77,
    progress: Progress | None = None,
) -> Calibration:
    """Denoises `samples` latents from noise and keeps the UNet's inputs at every call.

    model: a diffusers UNet with weights, or an ExportedUNet.
    scheduler, schedule: from `schedule_for`; the scheduler is copied, not changed.
    Contexts and text embeddings are drawn from N(0, 1), class labels uniformly, time ids are those of an
    uncropped picture. Holds samples x calls x C x H x W float32, and each context once.
    Raises DgqcError where the scheduler's calls are not the schedule's, or where denoising runs away to
    infinity.
    """
    if samples < 1 or batch_size < 1:
        raise DgqcError(
            f"{samples} samples in batches of {batch_size} can't be drawn; give at least 1 of each."
        )
    inputs = (
        model.inputs if isinstance(model, ExportedUNet) else model_inputs(model, sample_size, context_length)
    )
    size = 1 if isinstance(model, ExportedUNet) else batch_size
    counts = [min(size, samples - start) for start in range(0, samples, size)]
    generator = torch.Generator().manual_seed(seed)
    recorded: list[list[Inputs]] = [[] for _ in schedule.timesteps]
    for index, count in enumerate(counts):
        conditions = {one.name: _draw(one, model, count, inputs[0], generator) for one in inputs[2:]}
        calls = _denoise(model, scheduler, schedule, inputs[0], count, conditions, generator)
        for step, sample in enumerate(calls):
            recorded[step].append({"sample": sample, **conditions})
            if progress:
                progress(index * len(schedule) + step + 1, len(counts) * len(schedule))
    origin = f"{samples} samples denoised from noise without prompts"
    return Calibration(schedule, lambda step: iter(recorded[step]), True, origin, versions())


def _denoise(
    model: nn.Module,
    scheduler: Any,
    schedule: Schedule,
    sample: ModelInput,
    count: int,
    conditions: dict[str, torch.Tensor],
    generator: torch.Generator,
) -> Iterator[torch.Tensor]:
    """The UNet's `sample` at each call, one after another."""
    own = copy.deepcopy(scheduler)
    # Multistep schedulers remember earlier calls; setting the timesteps again forgets them.
    own.set_timesteps(own.num_inference_steps)
    steps = [float(timestep) for timestep in own.timesteps]
    if steps != list(schedule.timesteps):
        raise DgqcError(
            f"The scheduler makes {len(steps)} calls, which are not the schedule's {len(schedule)}; take "
            "both from schedule_for."
        )
    takes_generator = "generator" in inspect.signature(own.step).parameters
    options = {"generator": generator} if takes_generator else {}
    channels = _latent_channels(model, sample)
    shape = (count, *sample.shape[1:])
    # Channels that the model takes but does not predict (an inpainting mask) stay as drawn.
    extra = torch.randn((count, sample.shape[1] - channels, *sample.shape[2:]), generator=generator)
    latents = torch.randn((count, channels, *sample.shape[2:]), generator=generator) * own.init_noise_sigma
    for step, timestep in enumerate(own.timesteps):
        scaled = torch.cat([own.scale_model_input(latents, timestep), extra], dim=1)
        assert scaled.shape == shape
        yield scaled
        with torch.no_grad():
            # Channels that it predicts beyond the sample's are a variance, which these schedulers don't take.
            predicted = _call(model, scaled, timestep, conditions)[:, :channels]
            latents = own.step(predicted, timestep, latents, return_dict=False, **options)[0]
        if not bool(torch.isfinite(latents).all()):
            raise DgqcError(
                f"Denoising without prompts runs away to infinity at call {step} of {len(schedule)}; "
                "record samples with `dgqc calibrate` and give them instead."
            )


def _latent_channels(model: nn.Module, sample: ModelInput) -> int:
    predicted = int(model_config(model).get("out_channels", sample.shape[1]))
    return min(predicted, sample.shape[1])


def _call(
    model: nn.Module, sample: torch.Tensor, timestep: torch.Tensor, conditions: dict[str, torch.Tensor]
) -> torch.Tensor:
    inputs = {"sample": sample, "timestep": timestep.reshape(1).to(torch.float32), **conditions}
    if isinstance(model, ExportedUNet):
        exported: torch.Tensor = model(**inputs)
        return exported
    output: torch.Tensor = model(**call_arguments(inputs), return_dict=False)[0]
    return output


def _draw(
    one: ModelInput, model: nn.Module, count: int, sample: ModelInput, generator: torch.Generator
) -> torch.Tensor:
    shape = (count, *one.shape[1:])
    if one.name == "time_ids":
        height, width = (PIXELS_PER_LATENT * side for side in sample.shape[2:])
        return torch.tensor([[height, width, 0, 0, height, width]], dtype=torch.float32).repeat(count, 1)
    if one.name == "class_labels" and not one.dtype.is_floating_point:
        classes = model_config(model).get("num_class_embeds") or 1
        return torch.randint(0, int(classes), shape, generator=generator)
    return torch.randn(shape, generator=generator)
