"""Records what a pipeline calls its UNet with."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError
from ..adapters.adapter import Adapter
from ..loading.load import load_model
from ..loading.pipelines import checked_index
from ..schedulers import scheduler_config
from ..schedules import schedule_for
from .calibration_file import Recording, load_calibration, save_calibration
from .drawings import UNET, Drawings
from .pictures import read_pictures
from .pipeline_calls import Settings, UnfitPipeline, own_guidance
from .recorder import Progress, versions
from .synthesize import synthesize

log = logging.getLogger("dgqc")

PICTURES = 16
"""Drawn where neither prompts nor classes nor a number are given."""


def calibrate(
    pipeline: str | Path | DiffusionPipeline,
    prompts: Sequence[str] | None,
    steps: int,
    output: str | Path,
    seed: int = 0,
    batch_size: int = 1,
    guidance_scale: float | None = None,
    progress: Progress | None = None,
    *,
    samples: int | None = None,
    labels: Sequence[int] | None = None,
    weights_key: str | None = None,
    variant: str | None = None,
    adapters: Sequence[Adapter] = (),
    tokenizer: str | Path | None = None,
    pictures: str | Path | None = None,
    strength: float | None = None,
    part: str = UNET,
) -> Calibration:
    """Runs an unmodified pipeline and records its UNet's inputs at every call.

    pipeline: a diffusers pipeline with a UNet, its folder or its one file; its VAE may be null.
    prompts: the i-th is denoised from noise with seed `seed + i`, so batches don't change what is recorded.
        None for a pipeline that takes none; one that does is given captions that dgqc brings.
    steps: the pipeline's `num_inference_steps`. The recorded schedule holds the calls really made.
    output: the .safetensors file to write.
    guidance_scale: None leaves the pipeline's own; where it guides, both halves are recorded.
    samples: pictures; None draws one for each prompt or class, or 16.
    labels: classes, for a pipeline that takes them; None draws them from all that the UNet knows.
    weights_key, variant, adapters, tokenizer: as for `load_model`.
    pictures: a folder of them, for a pipeline that changes pictures. strength: None leaves the pipeline's
        own; below 1 the recorded schedule begins late. part: whose calls, the unet's or the controlnet's.

    Holds all recorded latents until the file is written: pictures x calls x 2 (guidance) x C x H x W
    float32, 0.2 GB for 64 prompts of Stable Diffusion at 25 steps; a context that stays the same once.
    A pipeline that leaves out what its UNet takes, as an unconditional one around a UNet with classes, can't
    draw: its scheduler denoises from noise in its place, with conditions that are drawn, which is said.
    Raises DgqcError for a pipeline that can't be loaded or run, or whose calls carry unknown inputs.
    """
    if prompts is not None and not prompts:
        raise DgqcError("There are no prompts to calibrate with; give at least one.")
    count = samples if samples is not None else len(prompts or labels or range(PICTURES))
    if batch_size < 1 or count < 1:
        raise DgqcError(f"{count} pictures in batches of {batch_size} can't be drawn; give at least 1 each.")
    given = None if pictures is None else read_pictures(Path(pictures))
    loaded = _loaded(pipeline, weights_key, variant, adapters, tokenizer)
    settings = Settings(steps, guidance_scale=guidance_scale, strength=strength)
    drawings = Drawings(loaded, settings, prompts, labels, given, part)
    try:
        calls = len(drawings.rehearse().schedule)
    except UnfitPipeline as error:
        if prompts is not None or given is not None or part != UNET:
            raise  # Denoising without them is not what was asked for.
        own = type(loaded.scheduler).__name__
        log.warning("%s Samples are denoised by its %s alone.", error, own)
        recording, recorded = _denoised(loaded, steps, count, batch_size, seed, progress)
        save_calibration(output, recording, recorded)
        return load_calibration(output)
    recorder = drawings.record(count, batch_size, seed, progress, calls)
    recording = Recording(
        schedule=recorder.schedule(type(loaded.scheduler).__name__, f"recorded from {type(loaded).__name__}"),
        synthetic=False,
        origin=drawings.origin(count),
        prompts=hashlib.sha256("\n".join(prompts or ()).encode()).hexdigest() if prompts else "",
        seeds=tuple(seed + index for index in range(count)),
        guidance_scale=own_guidance(loaded) if guidance_scale is None else guidance_scale,
        versions=versions(),
    )
    save_calibration(output, recording, recorder.calls())
    return load_calibration(output)


def _denoised(
    pipeline: Any, steps: int, count: int, batch_size: int, seed: int, progress: Progress | None
) -> tuple[Recording, Iterator[tuple[int, int, Inputs]]]:
    """What the UNet's calls would be: what is said of them, and the calls themselves."""
    scheduler, schedule = schedule_for(scheduler_config(pipeline.scheduler), steps)
    schedule = replace(schedule, origin=f"asked of {schedule.scheduler}")
    found = synthesize(pipeline.unet, scheduler, schedule, count, batch_size, seed, progress=progress)
    seeds = tuple(seed + index for index in range(count))
    recording = Recording(schedule, found.synthetic, found.origin, "", seeds, None, versions())
    calls = ((step, *one) for step in range(len(schedule)) for one in enumerate(found.read(step)))
    return recording, calls


def _loaded(
    pipeline: str | Path | DiffusionPipeline,
    weights_key: str | None,
    variant: str | None,
    adapters: Sequence[Adapter],
    tokenizer: str | Path | None,
) -> Any:
    """The pipeline around the UNet that `load_model` gives a compiler."""
    if isinstance(pipeline, DiffusionPipeline):
        return pipeline
    path = Path(pipeline)
    if path.is_dir():
        checked_index(path)
    found = load_model(path, weights_key, variant, adapters, None if tokenizer is None else Path(tokenizer))
    if found.pipeline is None:
        raise DgqcError(
            f"{path} is no pipeline as it stands; give a pipeline's folder, or, for a checkpoint in "
            "one file with a text encoder, the folder of its tokenizer with --tokenizer."
        )
    return found.pipeline.load({"unet": found.model})
