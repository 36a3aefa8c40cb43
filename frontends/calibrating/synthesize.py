"""Calibration without prompts: denoising from noise with the model's own config."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError
from ...ir.parallel import side_by_side
from ...ir.reading import explained
from ...ir.schedule import Schedule
from ..loading.exported_unet import ExportedUNet
from ..loading.model_inputs import SDXL_IDS, ModelInput, call_arguments, model_config, model_inputs
from .calibrate import Progress, versions

INSTEAD = "record samples with `dgqc calibrate` and give them instead"
AESTHETIC_SCORE = 6.0
"""What SDXL's refiner is told where nobody says otherwise."""
PIXELS_PER_LATENT = 8
"""Side of the square of pixels that one latent stands for, for the picture sizes in SDXL's time ids."""
BYTES_PER_PIXEL = 2**17
"""About what a UNet call takes for each pixel of a latent, at most."""


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
    tick = _Ticks(progress, len(counts) * len(schedule))

    def trajectory(noise: _Noise) -> list[Inputs]:
        found: list[Inputs] = []
        for sample in _denoise(model, scheduler, schedule, noise):
            found.append({"sample": sample, **noise.conditions})
            tick()
        return found

    noises = _noises(model, inputs, counts, seed)
    pixels = max(counts) * inputs[0].shape[-1] * inputs[0].shape[-2]
    recorded = list(side_by_side(trajectory, noises, pixels * BYTES_PER_PIXEL))
    origin = f"{samples} samples denoised from noise without prompts"
    return Calibration(
        schedule, lambda step: iter([calls[step] for calls in recorded]), True, origin, versions()
    )


@dataclass(frozen=True)
class _Noise:
    """What the samples of a trajectory start from.

    sample: what the UNet takes. latents: (B, channels, H, W), those that it predicts. extra: the others, an
    inpainting mask, which stay as drawn. generator: for noise between calls.
    """

    sample: ModelInput
    conditions: dict[str, torch.Tensor]
    extra: torch.Tensor
    latents: torch.Tensor
    generator: torch.Generator


def _noises(
    model: nn.Module, inputs: Sequence[ModelInput], counts: Sequence[int], seed: int
) -> Iterator[_Noise]:
    """One after another, from one generator; what trajectories draw later is their own."""
    generator, sample = torch.Generator().manual_seed(seed), inputs[0]
    channels = _latent_channels(model, sample)
    for index, count in enumerate(counts):
        conditions = {one.name: _draw(one, model, count, sample, generator) for one in inputs[2:]}
        extra = torch.randn((count, sample.shape[1] - channels, *sample.shape[2:]), generator=generator)
        latents = torch.randn((count, channels, *sample.shape[2:]), generator=generator)
        yield _Noise(sample, conditions, extra, latents, torch.Generator().manual_seed(seed + 1 + index))


class _Ticks:
    """Counts calls of all trajectories, in whatever order they are made."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done, self._lock = progress, total, 0, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._done += 1
            if self._progress:
                self._progress(self._done, self._total)


def _denoise(model: nn.Module, scheduler: Any, schedule: Schedule, noise: _Noise) -> Iterator[torch.Tensor]:
    """The UNet's `sample` at each call, one after another."""
    own, options = _rewound(scheduler)
    steps = [float(timestep) for timestep in own.timesteps]
    if steps != list(schedule.timesteps):
        raise DgqcError(
            f"The scheduler makes {len(steps)} calls, which are not the schedule's {len(schedule)}; take "
            "both from schedule_for."
        )
    if "generator" in options:
        options["generator"] = noise.generator
    channels = noise.latents.shape[1]
    latents = noise.latents * own.init_noise_sigma
    for step, timestep in enumerate(own.timesteps):
        with _denoising(own):
            scaled = torch.cat([own.scale_model_input(latents, timestep), noise.extra], dim=1)
        assert scaled.shape[1:] == noise.sample.shape[1:]
        yield scaled
        with _denoising(own), torch.no_grad():
            # Channels that it predicts beyond the sample's are a variance, which these schedulers don't take.
            predicted = _call(model, scaled, timestep, noise.conditions)[:, :channels]
            latents = own.step(predicted, timestep, latents, return_dict=False, **options)[0]
        if not bool(torch.isfinite(latents).all()):
            raise DgqcError(
                f"Denoising without prompts runs away to infinity at call {step} of {len(schedule)}; "
                f"{INSTEAD}."
            )


def rehearse(scheduler: Any) -> None:
    """Makes one call's step on zeros. Raises DgqcError for a scheduler that can't denoise from noise alone,
    as one that fills in a picture, or one that doesn't know what its model predicts."""
    own, options = _rewound(scheduler)
    with _denoising(own):
        zeros = torch.zeros(1, 1, 8, 8) * own.init_noise_sigma
        own.scale_model_input(zeros, own.timesteps[0])
        own.step(zeros, own.timesteps[0], zeros, return_dict=False, **options)


def _rewound(scheduler: Any) -> tuple[Any, dict[str, Any]]:
    """A copy of the scheduler before its first call, and what its `step` takes beside the usual."""
    with _denoising(scheduler):
        own = copy.deepcopy(scheduler)
        # Multistep schedulers remember earlier calls; setting the timesteps again forgets them.
        own.set_timesteps(own.num_inference_steps)
        return own, {"generator": None} if "generator" in inspect.signature(own.step).parameters else {}


def _denoising(scheduler: Any) -> AbstractContextManager[None]:
    return explained(f"A {type(scheduler).__name__} can't denoise from noise without prompts", INSTEAD)


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
        last = [height, width] if one.shape[1] == SDXL_IDS else [AESTHETIC_SCORE]
        return torch.tensor([[height, width, 0, 0, *last]], dtype=torch.float32).repeat(count, 1)
    if one.name == "class_labels" and not one.dtype.is_floating_point:
        classes = model_config(model).get("num_class_embeds") or 1
        return torch.randint(0, int(classes), shape, generator=generator)
    return torch.randn(shape, generator=generator)
