"""Before the first pass: the model loaded and captured, its calibration at hand."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from diffusers import DiffusionPipeline
from torch import nn

from ..bundle.diffusers_files import plain_config
from ..bundle.manifest import InputShape, Provenance
from ..execution.diffusers_unet import CompiledUNet
from ..frontends.calibrating.calibration_file import load_calibration
from ..frontends.calibrating.pipeline_calls import own_guidance
from ..frontends.calibrating.select_samples import Selection, select
from ..frontends.capturing.capture import capture
from ..frontends.capturing.rewriter import Refused
from ..frontends.loading.controls import ExportedControl
from ..frontends.loading.exported_unet import ExportedUNet
from ..frontends.loading.gates import with_gates
from ..frontends.loading.guidance import USUAL, settled_guidance, takes_guidance, with_guidance
from ..frontends.loading.live_models import check_live
from ..frontends.loading.model_inputs import model_config, recorded_inputs
from ..frontends.loading.pipelines import StoredPipeline
from ..frontends.samplers import AUTO, sampler_for
from ..frontends.schedulers import scheduler_config
from ..ir.calibration import Calibration, samples_in
from ..ir.errors import DgqcError, UnsupportedOperation
from ..ir.program import Program
from ..ir.sample_size import SampleSize
from ..ir.verify.verifier import verify
from ..passes.correction.correct_schedule import CorrectSchedule
from ..passes.manager.pipeline import format_pipeline
from ..report.costs import Costs
from ..report.report import model_costs
from ..report.work import Sampling
from .callers import CONTEXT_LENGTH, Caller, KnownModel, caller_of, own_pipeline
from .other_sizes import OtherSize, captured_at
from .request import Request
from .samples import check_samples, first_of, sizes
from .surroundings import Surroundings, surroundings_of

log = logging.getLogger("dgqc")

SAMPLES, FEW_SAMPLES = 16, 8
"""Drawn where nobody says how many; the second for large models."""
WITHOUT_LOOP = (
    "correct-schedule changes what the scheduler does between the calls, and a program does that in a loop "
    "alone; ask for one with --loop own, or take correct-output for a pipeline with a scheduler of its own."
)
LARGE = 100.0
"""Millions of parameters, from which on everything that draws takes long."""


@dataclass(frozen=True)
class Start:
    """What is known before the first pass.

    program: the captured one, alone in a list. scheduler: its configuration. sampling: how many samples of
    each call it has, or will have. around: of a pipeline whose pictures are to be drawn; None for others.
    """

    program: list[Program]
    provenance: Provenance
    costs: Costs
    scheduler: Mapping[str, Any] | None
    sampling: Sampling
    around: Surroundings | None = None
    others: tuple[OtherSize, ...] = ()


def begin(request: Request) -> Start:
    """Loads and captures the model, and gets its calibration ready.

    Raises DgqcError as `compile` does.
    """
    recorded = None if request.calibration is None else recorded_of(request.calibration)
    known = known_of(request, recorded)
    model, request = known.model, settled(request, known)
    caller = caller_of(request, known, recorded)
    if request.loop is None and request.stop_after is None and CorrectSchedule in map(type, request.passes):
        raise DgqcError(WITHOUT_LOOP)
    if request.loop not in (None, AUTO):
        sampler_for(request.loop, caller.config, caller.schedule)  # refuses before minutes of work
    sample_size, context_length = asked_sizes(request, caller, known.tokens)
    at = partial(
        _captured,
        model,
        schedule=caller.schedule,
        context_length=context_length,
        recorded=recorded_inputs(first_of(caller.calls)) if caller.calls else (),
    )
    program = at(sample_size=sample_size)
    verify(program)
    costs = partial(model_costs, model)
    others = captured_at(request.other_sizes, program, lambda size: at(sample_size=size), costs)
    if recorded is not None:
        check_samples(recorded, program)
    calibration = recorded or _drawn(request, model, caller, sample_size, context_length)
    calibration = replace(calibration, sampler=partial(sampler_for, AUTO, caller.config, caller.schedule))
    how = Selection(request.calib_select)
    calibration = select(calibration, how, model, request.calib_samples, seed=request.seed)
    provenance = Provenance(
        version=version("dgqc"),
        model=model.kind if isinstance(model, ExportedUNet) else type(model).__name__,
        pipeline=format_pipeline(request.passes),
        calibration=calibration.origin,
        synthetic=calibration.synthetic,
        inputs=_inputs(program),
        request=request.recorded(),
        config=plain_config(type(model).__name__, model_config(model)),
    )
    counted = costs(program)
    if isinstance(model, ExportedControl):
        described = [{"shape": list(one.shape), "loudness": one.loudness} for one in model.residuals]
        program = program.with_report("residuals", described)
    sampling = _sampling(request, known, caller, recorded)
    around = _surroundings(request, known, caller)
    programs = [replace(program, calibration=calibration)]
    return Start(programs, provenance, counted, caller.config, sampling, around, others)


def _surroundings(request: Request, known: KnownModel, caller: Caller) -> Surroundings | None:
    """Of the pipeline that the model came with, where there is to be a loop."""
    if request.loop is None or known.pipeline is None:
        return None
    try:
        pipeline = own_pipeline(known) if caller.drawings is None else caller.drawings.pipeline
    except DgqcError:
        return None  # Who can't be loaded draws nothing.
    return surroundings_of(pipeline, caller.calls, request.guidance_scale)


def _captured(model: nn.Module, **options: Any) -> Program:
    """The captured model. Raises UnsupportedOperation for the first op without an integer form, and says how
    many others there are."""
    refused: list[Refused] = []
    try:
        program = capture(model, refused=refused, **options)
    except Exception as error:
        if refused:  # What stands in an op's place may be what failed.
            raise UnsupportedOperation(refused[0].message) from error
        raise
    if refused:
        others = len({(one.op, one.module) for one in refused}) - 1
        more = f" {others} more of its ops have none; `dgqc check` lists them." if others else ""
        raise UnsupportedOperation(refused[0].message + more)
    return program


def _sampling(request: Request, known: KnownModel, caller: Caller, recorded: Calibration | None) -> Sampling:
    """Of what was recorded, the first call is counted; a picture of a guided pipeline is two samples."""
    if recorded is not None:
        batches = [samples_in(one) for one in recorded.read(0)]
        return Sampling(sum(batches), max(batches), drawn=False, draws=known.pipeline is not None)
    each = samples_in(first_of(caller.calls)) if caller.calls else 1
    count = request.samples or usual_samples(sum(one.numel() for one in known.model.parameters()))
    return Sampling(each * count, each * request.batch_size, grows=request.samples is None)


def usual_samples(parameters: int) -> int:
    """Pictures that are drawn at first where nobody says how many."""
    return FEW_SAMPLES if parameters > LARGE * 1e6 else SAMPLES


def asked_sizes(request: Request, caller: Caller, tokens: int | None = None) -> tuple[SampleSize | None, int]:
    """Height and width of latents, None for the model's own, and the tokens of a context: as asked for, as
    called, as known. tokens: of the model's tokenizer."""
    found = sizes(caller.calls) if caller.calls else {}
    sample_size = request.first_size or found.get("sample_size")
    return sample_size, request.context_length or found.get("context_length") or tokens or CONTEXT_LENGTH


def known_of(request: Request, recorded: Calibration | None = None) -> KnownModel:
    """The model and what it came with, a guidance scale settled where it takes one.

    recorded: what the scale is taken from where it isn't asked for.
    Raises DgqcError for what is no model.
    """
    known = _known(request)
    known = replace(known, model=with_gates(known.model))
    if not takes_guidance(model_config(known.model)):
        return known
    return replace(known, model=with_guidance(known.model, _guidance(request, known, recorded)))


def settled(request: Request, known: KnownModel) -> Request:
    """The request, at the guidance scale that is a part of the model where one is."""
    scale = settled_guidance(known.model)
    return request if scale is None else replace(request, guidance_scale=scale)


def _guidance(request: Request, known: KnownModel, recorded: Calibration | None) -> float:
    """The scale that a model is told: as asked for, as recorded, its pipeline's own."""
    asked, found = request.guidance_scale, recorded.guidance_scale if recorded is not None else None
    if asked is not None and found is not None and asked != found:
        raise DgqcError(
            f"The calibration was recorded at a guidance scale of {found:g}, which this model is told, and "
            f"{asked:g} is asked for; record it again, or leave out --guidance-scale."
        )
    kind = known.pipeline.kind if isinstance(known.pipeline, StoredPipeline) else known.pipeline
    own = None if kind is None else own_guidance(kind)
    given = next((one for one in (asked, found, own) if one is not None), None)
    if given is None:
        log.warning(
            "The model is told the guidance scale: %g is settled; choose another with --guidance-scale.",
            USUAL,
        )
    return USUAL if given is None else given


def _known(request: Request) -> KnownModel:
    model = request.model
    if isinstance(model, DiffusionPipeline | nn.Module):
        request.refuse_of_live_models()
    if isinstance(model, DiffusionPipeline):
        return _known_pipeline(model)
    if isinstance(model, nn.Module):
        return KnownModel(_checked(model))
    loaded = request.loaded()
    return KnownModel(loaded.model, loaded.pipeline, loaded.scheduler, loaded.context_length)


def _known_pipeline(pipeline: Any) -> KnownModel:
    unet = getattr(pipeline, "unet", None)
    if not isinstance(unet, nn.Module):
        raise DgqcError(f"A {type(pipeline).__name__} has no UNet, which alone dgqc compiles.")
    return KnownModel(_checked(unet), pipeline, scheduler_config(pipeline.scheduler))


def _checked(model: nn.Module) -> nn.Module:
    if isinstance(model, CompiledUNet):
        raise DgqcError("The UNet is compiled already; give the float one.")
    check_live(model)
    return model


def _inputs(captured: Program) -> tuple[InputShape, ...]:
    types = {
        str(node.target): node.meta["val"].dtype
        for node in captured.graph.graph.nodes
        if node.op == "placeholder"
    }
    return tuple(
        InputShape(given.name, given.shape, types[given.name].is_floating_point) for given in captured.inputs
    )


def recorded_of(calibration: Calibration | str | Path) -> Calibration:
    """The samples that were given. Raises DgqcError for a file that holds none, and for anything else."""
    if isinstance(calibration, str | Path):
        return load_calibration(Path(calibration))
    if not isinstance(calibration, Calibration):
        raise DgqcError(
            f"The calibration is of type {type(calibration).__name__}; give its file, or a Calibration."
        )
    return calibration


def _drawn(
    request: Request,
    model: nn.Module,
    caller: Caller,
    sample_size: SampleSize | None,
    context_length: int,
) -> Calibration:
    """Samples that nobody recorded, which is said."""
    count = request.samples or usual_samples(sum(one.numel() for one in model.parameters()))
    sizes = (sample_size, context_length)
    found = caller.samples(
        model, count, request.batch_size, request.seed, *sizes, more=request.samples is None
    )
    if found.synthetic:
        log.warning(
            "No calibration given: ranges come from %s, not a text encoder's; compile the whole pipeline, or "
            "record samples with `dgqc calibrate`, for better pictures.",
            found.origin,
        )
    else:
        log.info("No calibration given: ranges come from %s.", found.origin)
    return found
