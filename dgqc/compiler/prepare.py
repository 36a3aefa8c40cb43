"""Before the first pass: the model loaded and captured, its calibration at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from ..bundle.manifest import InputShape, Provenance
from ..frontends.calibrating.calibration_file import load_calibration
from ..frontends.calibrating.select_samples import Selection, select
from ..frontends.calibrating.synthesize import rehearse, synthesize
from ..frontends.capturing.capture import capture
from ..frontends.loading.live_models import check_live
from ..frontends.loading.load import load_model
from ..frontends.samplers import sampler_for
from ..frontends.schedules import schedule_for
from ..ir.calibration import Calibration
from ..ir.errors import DgqcError
from ..ir.program import Program
from ..ir.schedule import Schedule
from ..ir.verify.verifier import verify
from ..passes.manager.pipeline import format_pipeline
from ..report.costs import Costs
from ..report.report import model_costs
from .request import Request
from .samples import check_samples, lazy, shown, sizes

log = logging.getLogger("dgqc")

STEPS = 25
"""UNet calls where neither the user nor a calibration says otherwise."""
CONTEXT_LENGTH = 77
"""Tokens of CLIP, where no calibration says otherwise."""


@dataclass(frozen=True)
class Start:
    """What is known before the first pass.

    program: the captured one, alone in a list. scheduler: its configuration.
    """

    program: list[Program]
    provenance: Provenance
    costs: Costs
    scheduler: Mapping[str, Any] | None


def begin(request: Request) -> Start:
    """Loads and captures the model, and gets its calibration ready.

    Raises DgqcError as `compile` does.
    """
    model, scheduler, tokens = _open(request.model, request.weights_key)
    recorded = _recorded(request.calibration)
    schedule = _schedule(request.steps, scheduler, recorded)
    if request.loop is not None:
        sampler_for(request.loop, scheduler, schedule)  # refuses before minutes of work
    found = sizes(recorded) if recorded else {}
    sample_size = request.sample_size or found.get("sample_size")
    context_length = request.context_length or found.get("context_length") or tokens or CONTEXT_LENGTH
    program = capture(model, schedule=schedule, sample_size=sample_size, context_length=context_length)
    verify(program)
    if recorded is not None:
        check_samples(recorded, program)
    calibration = recorded or _synthetic(request, model, scheduler, schedule, sample_size, context_length)
    how = Selection(request.calib_select)
    calibration = select(calibration, how, model, request.calib_samples, seed=request.seed)
    provenance = Provenance(
        version=version("dgqc"),
        model=type(model).__name__,
        pipeline=format_pipeline(request.passes),
        calibration=calibration.origin,
        synthetic=calibration.synthetic,
        inputs=_inputs(program),
        request=request.recorded(),
    )
    costs = model_costs(model, program)
    return Start([replace(program, calibration=calibration)], provenance, costs, scheduler)


def _open(
    model: nn.Module | str | Path, weights_key: str | None
) -> tuple[nn.Module, Mapping[str, Any] | None, int | None]:
    """The model, its pipeline's scheduler config and its tokens per prompt, as far as they are known."""
    if isinstance(model, nn.Module):
        check_live(model)
        return model, None, None
    loaded = load_model(Path(model), weights_key)
    return loaded.model, loaded.scheduler, loaded.context_length


def _inputs(captured: Program) -> tuple[InputShape, ...]:
    types = {
        str(node.target): node.meta["val"].dtype
        for node in captured.graph.graph.nodes
        if node.op == "placeholder"
    }
    return tuple(
        InputShape(given.name, given.shape, types[given.name].is_floating_point) for given in captured.inputs
    )


def _recorded(calibration: Calibration | str | Path | None) -> Calibration | None:
    return load_calibration(Path(calibration)) if isinstance(calibration, str | Path) else calibration


def _schedule(
    steps: int | None, scheduler_config: Mapping[str, Any] | None, recorded: Calibration | None
) -> Schedule:
    if recorded is None:
        return schedule_for(scheduler_config, steps or STEPS)[1]
    if steps is None:
        return recorded.schedule
    wanted = schedule_for(scheduler_config, steps)[1]
    have = recorded.schedule
    same_scheduler = scheduler_config is None or have == wanted
    if len(have) != len(wanted) or not same_scheduler:
        raise DgqcError(
            f"The calibration was recorded with {have.scheduler} at {len(have)} calls, but "
            f"{wanted.scheduler} with {steps} steps makes {len(wanted)}; record it with the schedule you "
            "want, or leave out --steps."
        )
    return have


def _synthetic(
    request: Request,
    model: nn.Module,
    scheduler_config: Mapping[str, Any] | None,
    schedule: Schedule,
    sample_size: tuple[int, int] | None,
    context_length: int,
) -> Calibration:
    log.warning(
        "No calibration given: ranges come from synthetic prompts (the model denoises noise); record some "
        "with `dgqc calibrate` for better pictures."
    )
    scheduler, _ = schedule_for(scheduler_config, request.steps or STEPS)
    rehearse(scheduler)

    def record() -> Calibration:
        return synthesize(
            model,
            scheduler,
            schedule,
            samples=request.samples,
            batch_size=request.batch_size,
            seed=request.seed,
            sample_size=sample_size,
            context_length=context_length,
            progress=shown("denoising for calibration"),
        )

    return lazy(schedule, f"{request.samples} synthetic samples, seed {request.seed}", record)
