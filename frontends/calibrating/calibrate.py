"""Records what a pipeline calls its UNet with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError, UnsupportedOperation
from ...ir.reading import explained
from ...ir.schedule import Schedule
from ..loading.model_inputs import ADDED_CONDITIONS, NAMES
from ..loading.pipelines import load_pipeline, unknown_words
from ..schedules import schedule_for
from .calibration_file import Recording, load_calibration, save_calibration

log = logging.getLogger("dgqc")

Progress = Callable[[int, int], None]
"""Called after every UNet call with the number of calls done and of all calls."""


def calibrate(
    pipeline: str | Path | DiffusionPipeline,
    prompts: Sequence[str],
    steps: int,
    output: str | Path,
    seed: int = 0,
    batch_size: int = 1,
    guidance_scale: float | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Runs an unmodified text-to-image pipeline and records its UNet's inputs at every call.

    pipeline: a diffusers pipeline or its folder, with a UNet; its VAE may be null, for nothing is decoded.
    prompts: the i-th is denoised from noise with seed `seed + i`, so batches don't change what is recorded.
    steps: the pipeline's `num_inference_steps`. The recorded schedule holds the calls really made.
    output: the .safetensors file to write.
    guidance_scale: None leaves the pipeline's own; where it guides, both halves are recorded.

    Holds all recorded latents until the file is written: prompts x calls x 2 (guidance) x C x H x W float32,
    0.2 GB for 64 prompts of Stable Diffusion at 25 steps; a context that stays the same is held once.
    Raises DgqcError for a pipeline that can't be loaded or run, UnsupportedOperation for one whose UNet
    calls carry inputs that dgqc does not know (ControlNet residuals, masks).
    """
    if not prompts:
        raise DgqcError("There are no prompts to calibrate with; give at least one.")
    if batch_size < 1:
        raise DgqcError(f"A batch of {batch_size} prompts can't be run; give a batch size of at least 1.")
    loaded = _text_to_image(pipeline)
    _warn_of_unknown_words(loaded, prompts)
    batches = [list(prompts[start : start + batch_size]) for start in range(0, len(prompts), batch_size)]
    scheduler_name = type(loaded.scheduler).__name__
    config = {**loaded.scheduler.config, "_class_name": scheduler_name}
    expected = len(schedule_for(config, steps)[1]) * len(batches)
    recorder = _Recorder(inspect.signature(loaded.unet.forward), expected, progress)
    options: dict[str, Any] = {} if guidance_scale is None else {"guidance_scale": guidance_scale}
    loaded.set_progress_bar_config(disable=True)
    handle = loaded.unet.register_forward_pre_hook(recorder.record, with_kwargs=True)
    try:
        for index, batch in enumerate(batches):
            recorder.start(index)
            seeds = [seed + index * batch_size + offset for offset in range(len(batch))]
            generators = [torch.Generator().manual_seed(one) for one in seeds]
            _run(loaded, prompt=batch, num_inference_steps=steps, generator=generators, **options)
    finally:
        handle.remove()
    recording = Recording(
        schedule=recorder.schedule(scheduler_name),
        synthetic=False,
        origin=f"{len(prompts)} prompts through {type(loaded).__name__}",
        prompts=hashlib.sha256("\n".join(prompts).encode()).hexdigest(),
        seeds=tuple(seed + index for index in range(len(prompts))),
        guidance_scale=guidance_scale,
        versions=versions(),
    )
    save_calibration(output, recording, recorder.calls())
    return load_calibration(output)


def _text_to_image(pipeline: str | Path | DiffusionPipeline) -> Any:
    """The pipeline, loaded where it is a folder's. Raises DgqcError for one without a UNet or a prompt."""
    loaded: Any = pipeline if isinstance(pipeline, DiffusionPipeline) else load_pipeline(Path(pipeline))
    unet = getattr(loaded, "unet", None)
    if not isinstance(unet, nn.Module) or "prompt" not in inspect.signature(loaded.__call__).parameters:
        raise DgqcError(
            f"A {type(loaded).__name__} is no text-to-image pipeline around a UNet; give such a one."
        )
    return loaded


def _warn_of_unknown_words(pipeline: Any, prompts: Sequence[str]) -> None:
    if unknown := unknown_words(getattr(pipeline, "tokenizer", None), prompts):
        log.warning(
            "The pipeline's tokenizer doesn't know %s (%d words of the prompts), all one to the model.",
            ", ".join(unknown[:3]),
            len(unknown),
        )


def versions() -> dict[str, str]:
    """The libraries that a recording depends on."""
    try:
        own = importlib.metadata.version("dgqc")
    except importlib.metadata.PackageNotFoundError:
        own = "unknown"
    return {"dgqc": own, "torch": torch.__version__, "diffusers": diffusers.__version__}


@dataclass
class _Recorder:
    """Collects a UNet's inputs, batch by batch, call by call."""

    signature: inspect.Signature
    expected: int
    progress: Progress | None
    batches: list[list[Inputs]] = field(default_factory=list)
    timesteps: list[list[float]] = field(default_factory=list)
    done: int = 0

    def start(self, index: int) -> None:
        assert index == len(self.batches)
        self.batches.append([])
        self.timesteps.append([])

    def record(self, module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        """A forward pre-hook."""
        bound = self.signature.bind(*arguments, **keywords).arguments
        previous = self.batches[-1][-1] if self.batches[-1] else {}
        inputs: dict[str, torch.Tensor] = {}
        for name, value in _tensors(bound).items():
            recorded = value.detach().to("cpu", torch.float32 if value.is_floating_point() else value.dtype)
            same = name in previous and torch.equal(previous[name], recorded)
            inputs[name] = previous[name] if same else recorded.clone()
        self.timesteps[-1].append(float(torch.as_tensor(bound["timestep"]).reshape(-1)[0]))
        self.batches[-1].append(inputs)
        self.done += 1
        if self.progress:
            self.progress(self.done, max(self.done, self.expected))

    def schedule(self, scheduler: str) -> Schedule:
        """The calls made, which must be the same for every batch."""
        if any(one != self.timesteps[0] for one in self.timesteps):
            raise DgqcError(
                "The pipeline called its UNet at other timesteps for later prompts; use a fixed schedule."
            )
        return Schedule(scheduler, tuple(self.timesteps[0]))

    def calls(self) -> Iterator[tuple[int, int, Inputs]]:
        for index, calls in enumerate(self.batches):
            for step, inputs in enumerate(calls):
                yield step, index, inputs


def _tensors(bound: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The inputs by the captured graph's names."""
    added: Mapping[str, Any] = bound.get("added_cond_kwargs") or {}
    ignored = {"timestep", "added_cond_kwargs", "return_dict"}
    given = {**{name: value for name, value in bound.items() if name not in ignored}, **added}
    known = {name: value for name, value in given.items() if value is not None}
    unknown = [name for name in known if name not in (*NAMES, *ADDED_CONDITIONS)]
    if unknown:
        raise UnsupportedOperation(
            f"The pipeline gives its UNet {', '.join(unknown)}, which dgqc has no input for; use a plain "
            "text-to-image pipeline."
        )
    return known


def _run(pipeline: Any, **options: Any) -> None:
    doing = f"The {type(pipeline).__name__} failed while it was recorded"
    with explained(doing, "check that it makes pictures by itself"):
        pipeline(output_type="latent", **options)
