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
from ...ir.devices import computing_on, device_for, device_here, device_name
from ...ir.errors import DgqcError
from ...ir.ranks import agreed
from ...ir.sample_size import SampleSize
from ..adapters.adapter import Adapter
from ..adapters.picture_adapters import NONE, PictureAdapters
from ..loading.load import load_model
from ..loading.pipelines import checked_index
from ..schedulers import scheduler_config
from ..schedules import schedule_for
from .calibration_file import Recording, load_calibration, save_calibration
from .drawings import Drawings
from .embeddings import Embeddings, read_embeddings
from .pictures import read_pictures
from .pipeline_calls import Settings, UnfitPipeline
from .pipeline_parts import UNET
from .recorder import Progress, versions
from .rounds import Enough, denoise_in_rounds, record_in_rounds
from .synthesize import denoised, synthesize

log = logging.getLogger("dgqc")

PICTURES = 16
"""Drawn where neither prompts nor classes nor a number are given."""
APART = 1000
"""Between the seeds of rounds, for each picture before them."""


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
    shown: PictureAdapters = NONE,
    pictures: str | Path | None = None,
    strength: float | None = None,
    embeddings: str | Path | None = None,
    sample_size: SampleSize | None = None,
    part: str = UNET,
    enough: Enough | None = None,
    device: str | None = None,
) -> Calibration:
    """Runs an unmodified pipeline and records its UNet's inputs at every call.

    pipeline: a diffusers pipeline with a UNet, its folder or its one file; its VAE may be null.
    prompts: the i-th is denoised from noise with seed `seed + i`, whatever the batches. None for a pipeline
        that takes none; one that does is given captions that dgqc brings.
    steps: the pipeline's `num_inference_steps`; the calls really made are recorded. output: a .safetensors.
    guidance_scale: None leaves the pipeline's own; where it guides, both halves are recorded.
    samples: pictures; None draws one for each prompt or class, or 16. labels: classes; None draws them.
    weights_key, variant, adapters, tokenizer, shown: as for `load_model`. embeddings: for `read_embeddings`.
    pictures: a folder of them, for a pipeline that changes pictures. strength: below 1 the recorded schedule
        begins late. part: whose calls (`part_of`). sample_size: of the latents, frames first; of these and
        of the strength None leaves the pipeline's own. enough: asked after each round of pictures.
    device: where the networks compute, as `device_for` takes it.

    Holds all recorded latents (pictures x calls x 2 (guidance) x C x H x W float32, 0.2 GB for 64 prompts of
    Stable Diffusion at 25 steps) until the file is written; a context that stays the same once.
    In the place of a pipeline that leaves out what its UNet takes, as an unconditional one around classes,
    its scheduler denoises from noise, with conditions that are drawn, which is said.
    Raises DgqcError for a pipeline that can't be loaded or run, or whose calls carry unknown inputs.
    """
    told = None if embeddings is None else read_embeddings(Path(embeddings))
    _check_prompts(prompts, told)
    count = _count(prompts, told, labels) if samples is None else samples
    _check_counts(count, batch_size)
    device_for(device)
    given = None if pictures is None else read_pictures(Path(pictures))
    loaded = _loaded(pipeline, weights_key, variant, adapters, tokenizer, shown)
    settings = Settings(steps, guidance_scale=guidance_scale, size=sample_size, strength=strength)
    drawings = Drawings(loaded, settings, prompts, labels, given, part, told)
    # Where any of these is asked for, denoising without them is not.
    alone = part == UNET and all(one is None for one in (prompts, given, told))
    with computing_on(device):
        recording, calls = _made(drawings, alone, count, batch_size, seed, progress, enough)
    agreed(lambda: save_calibration(output, recording, calls))
    return load_calibration(output)


def _made(drawings: Drawings, alone: bool, *how: Any) -> tuple[Recording, Iterator[tuple[int, int, Inputs]]]:
    """What is said of the calls, and the calls: the pipeline's, or its scheduler's, where that may denoise
    alone."""
    try:
        return _recorded(drawings, *how)
    except UnfitPipeline as error:
        if not alone:
            raise
        kind = type(drawings.pipeline.scheduler).__name__
        log.warning("%s Samples are denoised by its %s alone.", error, kind)
        return _denoised(drawings.pipeline, drawings.settings, *how)


def _recorded(
    drawings: Drawings,
    count: int,
    batch_size: int,
    seed: int,
    progress: Progress | None,
    enough: Enough | None,
) -> tuple[Recording, Iterator[tuple[int, int, Inputs]]]:
    """What is said of the calls that the pipeline makes, and the calls themselves."""
    calls = len(drawings.rehearse().schedule)
    log.info(
        "Recording %d calls for each of %s%d pictures, %d at a time, on %s; the first call tells how long "
        "it takes.",
        *(calls, "" if enough is None else "at most ", count, min(batch_size, count)),
        device_name(device_here()),
    )
    if enough is None:
        recorder = drawings.record(count, batch_size, seed, progress, calls)
    else:
        recorder, count = record_in_rounds(drawings, count, batch_size, seed, progress, calls, enough)
    pipeline, prompts = drawings.pipeline, drawings.prompts
    caller, kind = type(pipeline.scheduler).__name__, type(pipeline).__name__
    recording = Recording(
        schedule=recorder.schedule(caller, f"recorded from {kind}"),
        synthetic=False,
        origin=drawings.origin(count),
        prompts=hashlib.sha256("\n".join(prompts[:count]).encode()).hexdigest() if prompts else "",
        seeds=tuple(seed + index for index in range(count)),
        guidance_scale=drawings.guidance_scale,
        versions=versions(),
    )
    return recording, recorder.calls()


def _denoised(
    pipeline: Any,
    settings: Settings,
    count: int,
    batch_size: int,
    seed: int,
    progress: Progress | None,
    enough: Enough | None,
) -> tuple[Recording, Iterator[tuple[int, int, Inputs]]]:
    """What the UNet's calls would be: what is said of them, and the calls themselves."""
    scheduler, schedule = schedule_for(scheduler_config(pipeline.scheduler), settings.steps)
    schedule = replace(schedule, origin=f"asked of {schedule.scheduler}")

    def denoise(first: int, pictures: int) -> Calibration:
        begin = seed + APART * first
        sizes = pictures, batch_size, begin, settings.size
        return synthesize(pipeline.unet, scheduler, schedule, *sizes, progress=progress)

    if enough is None:
        found = denoise(0, count)
    else:
        found, count = denoise_in_rounds(pipeline, denoise, count, batch_size, enough)
    seeds = tuple(seed + index for index in range(count))
    origin = denoised(pipeline.unet, count)
    recording = Recording(schedule, found.synthetic, origin, "", seeds, None, versions())
    calls = ((step, *one) for step in range(len(schedule)) for one in enumerate(found.read(step)))
    return recording, calls


def _count(prompts: Sequence[str] | None, told: Embeddings | None, labels: Sequence[int] | None) -> int:
    """Pictures, where nobody says how many."""
    if told is not None and prompts is None:
        return told.count
    return len(prompts or labels or range(PICTURES))


def _check_counts(count: int, batch_size: int) -> None:
    if batch_size < 1 or count < 1:
        raise DgqcError(f"{count} pictures in batches of {batch_size} can't be drawn; give at least 1 each.")


def _check_prompts(prompts: Sequence[str] | None, told: Embeddings | None) -> None:
    """Raises DgqcError where there are no prompts, or twice."""
    if prompts is not None and not prompts:
        raise DgqcError("There are no prompts to calibrate with; give at least one.")
    if told is not None and told.prompted and prompts is not None:
        raise DgqcError("There are prompts, and embeddings that stand for prompts; leave one of them out.")


def _loaded(
    pipeline: str | Path | DiffusionPipeline,
    weights_key: str | None,
    variant: str | None,
    adapters: Sequence[Adapter],
    tokenizer: str | Path | None,
    shown: PictureAdapters,
) -> Any:
    """The pipeline around the UNet that `load_model` gives a compiler."""
    if isinstance(pipeline, DiffusionPipeline):
        return pipeline
    path = Path(pipeline)
    if path.is_dir():
        checked_index(path)
    tokens = None if tokenizer is None else Path(tokenizer)
    found = load_model(path, weights_key, variant, adapters, tokens, shown)
    if found.pipeline is None:
        raise DgqcError(
            f"{path} is no pipeline as it stands; give a pipeline's folder, or, for a checkpoint in "
            "one file with a text encoder, the folder of its tokenizer with --tokenizer."
        )
    return found.pipeline.load({"unet": found.model})
