"""The driver: a float UNet and some samples in, a compiled program out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from ..backends import quantize_dequantize
from ..bundle.manifest import Provenance
from ..execution.compiled_program import CompiledProgram
from ..frontends.calibrating.select_samples import Selection
from ..ir.calibration import Calibration
from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.program import Program
from ..passes.manager.instruments import Instrument
from ..passes.manager.manager import PassManager
from ..passes.manager.pipeline import parse_pipeline
from ..passes.manager.presets import DEFAULT_PRESET, pipeline_for
from ..report.report import summarize
from .denoising import with_loop
from .prepare import Request, begin
from .settings import settings_of


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
