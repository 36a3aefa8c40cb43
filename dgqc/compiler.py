"""The driver: a float UNet and some samples in, a compiled program out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from .backends import quantize_dequantize
from .compiled_program import CompiledProgram
from .costs import Costs
from .denoising import with_loop
from .frontends.calibration_file import load_calibration
from .frontends.capture import capture
from .frontends.load import load_model
from .frontends.samplers import sampler_for
from .frontends.schedules import schedule_for
from .frontends.select_samples import Selection, select
from .frontends.synthesize import synthesize
from .ir.calibration import Calibration
from .ir.errors import DgqcError
from .ir.level import Level
from .ir.program import Program
from .ir.schedule import Schedule
from .ir.verifier import verify
from .manifest import ModelInput, Provenance
from .passes.base import Pass
from .passes.instruments import Instrument
from .passes.manager import PassManager
from .passes.pipeline import format_pipeline, parse_pipeline
from .passes.presets import DEFAULT_PRESET, pipeline_for
from .report import model_costs, summarize
from .samples import check_samples, lazy, shown, sizes
from .settings import settings_of

log = logging.getLogger("dgqc")

STEPS = 25
"""UNet calls where neither the user nor a calibration says otherwise."""
CONTEXT_LENGTH = 77
"""Tokens of CLIP, where no calibration says otherwise."""


@dataclass(frozen=True)
class Request:
    """What to compile, and how; the fields are the arguments of `compile`."""

    model: nn.Module | str | Path
    opt: str = DEFAULT_PRESET
    calibration: Calibration | str | Path | None = None
    steps: int | None = None
    pass_pipeline: str | None = None
    sample_size: tuple[int, int] | None = None
    context_length: int | None = None
    samples: int = 8
    batch_size: int = 4
    seed: int = 0
    instruments: Sequence[Instrument] = ()
    verify_each: bool = True
    stop_after: str | None = None
    loop: str | None = None
    calib_select: str = Selection.ALL
    calib_samples: int | None = None


def compile(
    model: nn.Module | str | Path,
    opt: str = DEFAULT_PRESET,
    *,
    calibration: Calibration | str | Path | None = None,
    steps: int | None = None,
    pass_pipeline: str | None = None,
    sample_size: tuple[int, int] | None = None,
    context_length: int | None = None,
    samples: int = 8,
    batch_size: int = 4,
    seed: int = 0,
    instruments: Sequence[Instrument] = (),
    verify_each: bool = True,
    loop: str | None = None,
    calib_select: str = Selection.ALL,
    calib_samples: int | None = None,
) -> CompiledProgram:
    """Compiles a diffusion UNet into integers.

    model: a diffusers UNet, or the path of one (folder, .pt, .safetensors with its config, .pt2).
    opt: a preset such as "w4a6", "w8a8", "w4a6g16,edges=8".
    calibration: recorded samples or the path of a file with them; None lets the model denoise noise, without
        prompts, which is said in the log and in the report.
    steps: UNet calls of the schedule; None takes the calibration's, or 25.
    pass_pipeline: passes as text, instead of the preset's.
    sample_size: height and width of the latents. context_length: tokens of the context. None takes the
        calibration's, then the model's own size and 77.
    samples, batch_size, seed: for calibrating without a file.
    instruments: told before and after each pass. verify_each: whether the graph is verified after each.
    calib_select: which samples to calibrate with: "all", "uniform" (as many of each call), "tdac" (EDA-DM's
        choice by density and diversity). calib_samples: how many in all; None takes one of each trajectory.
    loop: "ddim" adds the denoising loop, for `CompiledProgram.draw` and as emitted C.
    Raises DgqcError, before anything expensive runs, for a model with an op that has no integer form, an
    impossible pipeline, or a calibration of another schedule or another model.
    """
    request = Request(
        model=model,
        opt=opt,
        calibration=calibration,
        steps=steps,
        pass_pipeline=pass_pipeline,
        sample_size=sample_size,
        context_length=context_length,
        samples=samples,
        batch_size=batch_size,
        seed=seed,
        instruments=instruments,
        verify_each=verify_each,
        loop=loop,
        calib_select=calib_select,
        calib_samples=calib_samples,
    )
    return finish(*lower(request))


def export_quantize_dequantize(
    model: nn.Module | str | Path, opt: str = "naive-w8a8", **options: Any
) -> ExportedProgram:
    """Exports a plan as quantize and dequantize ops of `quantized_decomposed` around float ones.

    For toolchains that take that form; a simulation, whose bits are not the integer program's. The step is an
    input, the ordinal of the call. options: as for `compile`.
    Raises DgqcError as `compile` does, and where the plan has groups or codes that such ops can't say.
    """
    request = Request(model=model, opt=opt, stop_after="timestep-tables", **options)
    return quantize_dequantize.export(lower(request)[0])


def lower(request: Request) -> tuple[Program, Provenance]:
    """Takes a model through its pipeline, to the end or to `request.stop_after`."""
    pipeline = request.pass_pipeline if request.pass_pipeline is not None else pipeline_for(request.opt)
    passes = parse_pipeline(pipeline)
    manager = PassManager(passes, request.instruments, request.verify_each)
    manager.check(Level.CAPTURED)
    start = begin(request, passes)
    # Popped, so that nobody holds the float weights any more once the passes have let go of them.
    program = manager.run(start.program.pop(), request.stop_after)
    if program.level is Level.INTEGER:
        if request.loop is not None:
            program = with_loop(program, request.loop, start.scheduler, start.provenance.inputs)
        program = program.with_report("summary", summarize(start.costs, settings_of(passes), program))
    return program, start.provenance


@dataclass(frozen=True)
class Start:
    """What is known before the first pass.

    program: the captured one, alone in a list. scheduler: its configuration.
    """

    program: list[Program]
    provenance: Provenance
    costs: Costs
    scheduler: Mapping[str, Any] | None


def begin(request: Request, passes: Sequence[Pass]) -> Start:
    """Loads and captures the model, and gets its calibration ready.

    Raises DgqcError as `compile` does.
    """
    _selection(request.calib_select)
    model, scheduler, tokens = _open(request.model)
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
    calibration = _selected(request, calibration, model)
    provenance = Provenance(
        version=version("dgqc"),
        model=type(model).__name__,
        opt="custom" if request.pass_pipeline is not None else request.opt,
        pipeline=format_pipeline(passes),
        calibration=calibration.origin,
        synthetic=calibration.synthetic,
        inputs=_inputs(program),
        loop=request.loop,
    )
    costs = model_costs(model, program)
    return Start([replace(program, calibration=calibration)], provenance, costs, scheduler)


def finish(program: Program, provenance: Provenance) -> CompiledProgram:
    """The compiled program of an integer graph.

    Raises DgqcError when the pipeline ended before the integer level.
    """
    if program.level is not Level.INTEGER:
        raise DgqcError(
            f"The pipeline ends at the {program.level} level, but only the integer level can be run as a "
            "compiled program; add lower-integer, or stop there with --stop-after to look at the graph."
        )
    # Samples are only needed on the way here, and can be large.
    return CompiledProgram(replace(program, calibration=None), provenance, dict(program.report))


def _open(model: nn.Module | str | Path) -> tuple[nn.Module, Mapping[str, Any] | None, int | None]:
    """The model, its pipeline's scheduler config and its tokens per prompt, as far as they are known."""
    if isinstance(model, nn.Module):
        return model, None, None
    loaded = load_model(Path(model))
    return loaded.model, loaded.scheduler, loaded.context_length


def _inputs(captured: Program) -> tuple[ModelInput, ...]:
    types = {
        str(node.target): node.meta["val"].dtype
        for node in captured.graph.graph.nodes
        if node.op == "placeholder"
    }
    return tuple(
        ModelInput(given.name, given.shape, types[given.name].is_floating_point) for given in captured.inputs
    )


def _recorded(calibration: Calibration | str | Path | None) -> Calibration | None:
    return load_calibration(Path(calibration)) if isinstance(calibration, str | Path) else calibration


def _selection(text: str) -> Selection:
    try:
        return Selection(text)
    except ValueError:
        known = ", ".join(Selection)
        raise DgqcError(
            f"There is no choice {text!r} of calibration samples; choose one of {known}."
        ) from None


def _selected(request: Request, calibration: Calibration, model: nn.Module) -> Calibration:
    how = _selection(request.calib_select)
    return select(calibration, how, model, request.calib_samples, seed=request.seed)


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
