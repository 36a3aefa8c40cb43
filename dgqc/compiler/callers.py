"""Who calls the model: a recording, its pipeline, or a scheduler; and so at which timesteps.

The one who calls is asked; nothing here knows a scheduler's formulas.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline
from torch import nn

from ..frontends.calibrating.conditions import invents
from ..frontends.calibrating.drawings import Drawings
from ..frontends.calibrating.embeddings import read_embeddings
from ..frontends.calibrating.pictures import read_pictures
from ..frontends.calibrating.pipeline_calls import Settings, UnfitPipeline
from ..frontends.calibrating.synthesize import denoised, rehearse, synthesize
from ..frontends.loading.pipelines import StoredPipeline
from ..frontends.schedulers import scheduler_config
from ..frontends.schedules import schedule_for
from ..ir.calibration import Calibration
from ..ir.errors import DgqcError
from ..ir.sample_size import SampleSize
from ..ir.schedule import ASSUMED, Schedule
from .request import Request
from .samples import lazy, shown, sizes

log = logging.getLogger("dgqc")

CONTEXT_LENGTH = 77
"""Tokens of CLIP, where no calibration says otherwise."""
MORE_SEED = 1000
"""Between the seeds of samples and of those that are drawn after them."""
DRAWN_WITH = ("pictures", "strength", "embeddings")
"""Options that only a pipeline draws with."""
STEPS = 25
"""UNet calls where neither the user nor a calibration says otherwise."""


@dataclass(frozen=True)
class KnownModel:
    """What the model came with.

    pipeline: as it is stored, or itself. config: of its scheduler. tokens: of a prompt, as far as known.
    """

    model: nn.Module
    pipeline: StoredPipeline | DiffusionPipeline | None = None
    config: Mapping[str, Any] | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Caller:
    """Who calls the model.

    schedule: the calls. config: the scheduler's configuration; None where it is assumed to be DDIM with
    Stable Diffusion's betas.
    calls: what the model is called with, as recorded or rehearsed; None for a model that comes alone.
    scheduler: set to the schedule, for such a model. drawings: the pipeline that draws samples, if any.
    """

    schedule: Schedule
    config: Mapping[str, Any] | None
    calls: Calibration | None = None
    scheduler: Any | None = None
    drawings: Drawings | None = None

    def samples(
        self,
        model: nn.Module,
        count: int,
        batch_size: int,
        seed: int,
        sample_size: SampleSize | None = None,
        context_length: int = CONTEXT_LENGTH,
        more: bool = False,
        purpose: str = "for calibration",
    ) -> Calibration:
        """So many samples of the model's calls, drawn when they are first read.

        sample_size, context_length: of a model that comes alone. more: whether others may follow them.
        purpose: of drawing, as progress says it.
        """
        alone = self.drawings is None
        origin = denoised(model, count) if self.drawings is None else self.drawings.origin(count)

        def record() -> Calibration:
            return synthesize(
                model,
                self.scheduler,
                self.schedule,
                samples=count,
                batch_size=batch_size,
                seed=seed,
                sample_size=sample_size,
                context_length=context_length,
                progress=shown(f"{'denoising' if alone else 'drawing'} {purpose}"),
                drawings=self.drawings,
            )

        def others() -> Calibration:
            last = seed + MORE_SEED
            return self.samples(model, count, batch_size, last, sample_size, context_length, more=True)

        found = lazy(self.schedule, f"{origin}, seed {seed}", record, alone and invents(model))
        if self.drawings is not None:
            found = replace(found, guidance_scale=self.drawings.guidance_scale)
        return replace(found, more=others) if more else found


def caller_of(request: Request, known: KnownModel, recorded: Calibration | None) -> Caller:
    """Who calls the model, as the request and its calibration say, then its pipeline, then our default.

    Raises DgqcError for a schedule that can't be, and where a calibration was recorded at another.
    """
    config = scheduler_config(request.scheduler, known.config)
    if recorded is not None:
        _check_recorded(request, known, config, recorded.schedule)
        return Caller(recorded.schedule, config, recorded)
    if config is None and request.timesteps is not None:
        raise DgqcError(
            "The timesteps say when the model is called, but not how noise falls between the calls; name a "
            "scheduler with --scheduler too, or give recorded samples with --calib."
        )
    reason = ""
    if known.pipeline is not None:
        try:
            drawings = drawings_of(request, known)
            calls = drawings.rehearse()
            _check_context(request, calls)
            return Caller(calls.schedule, config, calls, drawings=drawings)
        except DgqcError as error:
            if any(getattr(request, name) is not None for name in DRAWN_WITH):
                raise  # Denoising without them is not what was asked for.
            reason = str(error)
    _refuse_of_pipelines(request)
    scheduler, schedule = schedule_for(config, _steps(request), request.timesteps)
    rehearse(scheduler)
    if reason:
        log.warning("%s Samples are denoised by its %s alone.", reason, schedule.scheduler)
    if config is None:
        log.warning(
            "The model came without a scheduler: %d calls of DDIM with Stable Diffusion's betas are assumed; "
            "name its own with --scheduler.",
            len(schedule),
        )
    origin = ASSUMED if config is None else f"asked of {schedule.scheduler}"
    return Caller(replace(schedule, origin=origin), config, scheduler=scheduler)


def _refuse_of_pipelines(request: Request) -> None:
    """Raises DgqcError for what only a pipeline draws with, where the model comes alone."""
    for name in DRAWN_WITH:
        if getattr(request, name) is not None:
            raise DgqcError(
                f"Only a pipeline draws with --{name}, and this model comes alone; give its pipeline, or "
                "leave it out."
            )


def _steps(request: Request) -> int:
    return len(request.timesteps) if request.timesteps is not None else request.steps or STEPS


def drawings_of(request: Request, known: KnownModel) -> Drawings:
    """The model's pipeline as it is asked to draw. Raises DgqcError where it can't be."""
    settings = Settings(
        _steps(request), request.timesteps, request.guidance_scale, request.first_size, request.strength
    )
    pictures = None if request.pictures is None else read_pictures(Path(request.pictures))
    pipeline = own_pipeline(known)
    if request.scheduler is not None:
        named = scheduler_config(request.scheduler, known.config)
        pipeline.scheduler, _ = schedule_for(named, _steps(request), request.timesteps)
    told = None if request.embeddings is None else read_embeddings(Path(request.embeddings))
    return Drawings(pipeline, settings, pictures=pictures, embeddings=told, drawn=request.drawn)


def _check_context(request: Request, calls: Calibration) -> None:
    """Raises DgqcError where other contexts are asked for than the pipeline's."""
    found = sizes(calls).get("context_length")
    if found is not None and request.context_length not in (None, found):
        raise DgqcError(f"The pipeline's prompts have {found} tokens, not {request.context_length}.")


def own_pipeline(known: KnownModel) -> Any:
    """The pipeline, with a scheduler that nobody else uses."""
    if isinstance(known.pipeline, StoredPipeline):
        return known.pipeline.load({"unet": known.model})
    pipeline: Any = copy.copy(known.pipeline)
    pipeline.scheduler = copy.deepcopy(pipeline.scheduler)
    # It may be the pipeline's own with a guidance scale settled.
    pipeline.unet = known.model
    return pipeline


def _check_recorded(
    request: Request, known: KnownModel, config: Mapping[str, Any] | None, have: Schedule
) -> None:
    """Raises DgqcError where a recording is of another schedule than the one that is asked for."""
    wanted = have
    if request.timesteps is not None:
        wanted = Schedule(have.scheduler, request.timesteps)
    elif request.steps is not None:
        wanted = _wanted(request, known, config, have)
    elif request.scheduler is not None and config is not None:
        wanted = replace(have, scheduler=str(config.get("_class_name")))
    if not _same(have, wanted):
        raise DgqcError(
            f"The calibration was recorded with {have.scheduler} at {len(have)} calls, {_ends(have)}, but "
            f"{wanted.scheduler} as asked for makes {len(wanted)}, {_ends(wanted)}; record it with the "
            "schedule you want, or leave out --steps, --scheduler and --timesteps."
        )


def _wanted(
    request: Request, known: KnownModel, config: Mapping[str, Any] | None, have: Schedule
) -> Schedule:
    """The schedule of so many steps: the scheduler's, or the pipeline's where that makes other calls.

    Where nobody has a scheduler, any with as many calls.
    """
    _, wanted = schedule_for(config, _steps(request))
    if config is None:
        return have if len(have) == len(wanted) else wanted
    if not _same(have, wanted) and known.pipeline is not None:
        try:
            return drawings_of(request, known).rehearse().schedule
        except UnfitPipeline:
            pass  # It calls the UNet in no way that counts.
    return wanted


def _same(have: Schedule, wanted: Schedule) -> bool:
    calls = len(have) == len(wanted) and all(i in have.steps_at(t) for i, t in enumerate(wanted.timesteps))
    return calls and have.scheduler == wanted.scheduler


def _ends(schedule: Schedule) -> str:
    return f"{schedule.timesteps[0]:g} to {schedule.timesteps[-1]:g}"
