"""The driver: a float UNet and some samples in, a compiled program out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from ..backends import quantize_dequantize
from ..backends.selection import stopping_target
from ..backends.target import Target
from ..bundle.manifest import Provenance
from ..execution.compiled_program import CompiledProgram
from ..frontends.samplers import AUTO
from ..ir.calibration import Calibration
from ..ir.devices import computing_on, kinds
from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.parallel import single_threaded
from ..ir.program import Program
from ..ir.progress import enter
from ..ir.typed import typed
from ..passes.manager.manager import PassManager
from ..report.report import DEVICE, FLOATING, entry_with, summarize
from ..report.seen import Seen
from ..report.widths import Planned
from .announcement import announce
from .controls import with_one_result
from .denoising import with_asked_loop
from .other_sizes import BeforeLowering, refuse_with_sizes, with_other_sizes
from .parts import AskedPart, other_parts
from .prepare import begin
from .repair import checked, repaired
from .request import Request
from .signature import asked, takes

log = logging.getLogger("dgqc")


@takes(Request)
def compile(*arguments: Any, **options: Any) -> CompiledProgram:
    """Compiles a diffusion UNet into integers, and checks the program beside the float model.

    Raises DgqcError, before anything expensive runs, for a model with an op that has no integer form, an
    impossible pipeline, or a calibration of another schedule or another model.
    """
    return compiled_as_asked(asked(Request, arguments, options))


def compiled_as_asked(request: Request) -> CompiledProgram:
    """The program and its parts, checked and repaired as far as that is asked for, by Python and command line
    alike."""
    request = with_one_result(request)
    parts = other_parts(request)
    if parts.asked and request.loop is None:
        # Who has a text encoder and a decoder wants to draw.
        request = replace(request, loop=AUTO)
    compiled = _checked(request)
    if parts.floating:
        report = {**compiled.report, FLOATING: dict(parts.floating)}
        compiled = CompiledProgram(compiled.program, compiled.provenance, report)
    compiled_parts = {name: _part(one) for name, one in parts.asked.items()}
    return compiled.with_parts(compiled_parts) if compiled_parts else compiled


def _part(asked: AskedPart) -> CompiledProgram:
    """A part's program, with its tokenizer."""
    found = _checked(asked.request)
    own = replace(found.program, tokenizer=asked.tokenizer)
    return CompiledProgram(own, found.provenance, found.report)


def _checked(request: Request) -> CompiledProgram:
    """One program."""
    if not request.check and not request.repair:
        return compile_with_samples(request)[0]
    found = checked(request, compile_with_samples)
    if request.repair:
        found = repaired(found, compile_with_samples)
    if warning := found.warning():
        log.warning("%s", warning)
    return found.compiled


@typed
def export_quantize_dequantize(
    model: nn.Module | str | Path, opt: str = "naive-w8a8", **options: Any
) -> ExportedProgram:
    """Exports a plan as quantize and dequantize ops of `quantized_decomposed` around float ones.

    For toolchains that take that form; a simulation, whose bits are not the integer program's. The step is an
    input. options: as for `compile`.
    Raises DgqcError as `compile` does, and where the plan has groups or codes that such ops can't say.
    """
    request = asked(Request, (model, opt), {"stop_after": "timestep-tables", **options})
    return quantize_dequantize.export(lower(request)[0])


def compile_with_samples(request: Request) -> tuple[CompiledProgram, Calibration | None]:
    """As `compile`, and the samples that the program was calibrated with."""
    program, provenance, calibration = _lower(request)
    return finish(program, provenance), calibration


def lower(request: Request, targets: Sequence[Target] = ()) -> tuple[Program, Provenance]:
    """Takes a model through its pipeline, to the end or to `request.stop_after`.

    targets: among whose passes it may stop, too; they aren't run else.
    """
    program, provenance, _ = _lower(request, targets)
    return program, provenance


def _lower(
    request: Request, targets: Sequence[Target] = ()
) -> tuple[Program, Provenance, Calibration | None]:
    """`lower`, and the samples that passes had."""
    with single_threaded(), computing_on(request.device) as device:
        program, provenance, calibration = _lowered(request, targets)
        for kind in kinds(device):
            program = program.with_report(DEVICE, kind)
        return program, provenance, calibration


def _lowered(
    request: Request, targets: Sequence[Target] = ()
) -> tuple[Program, Provenance, Calibration | None]:
    """The same, where float work is computed."""
    planned, seen, kept = Planned(), Seen(), BeforeLowering()
    request = with_one_result(request)
    looking = (*request.instruments, planned, seen, *([kept] if request.other_sizes else ()))
    manager = PassManager(request.passes, looking, request.verify_each)
    manager.check(Level.CAPTURED)
    if request.other_sizes:
        refuse_with_sizes(request.passes)
    enter("reading the model")
    start = begin(request)
    if request.look_ahead and request.stop_after is None:
        announce(request, start)
    calibration = start.program[0].calibration
    # Popped, so that nobody holds the float weights any more once the passes have let go of them.
    stopping = stopping_target(targets, request.stop_after, request.passes)
    program = manager.run(start.program.pop(), None if stopping else request.stop_after)
    if program.level is Level.INTEGER:
        program = with_asked_loop(program, request.loop, start)
        program = program.with_report("summary", summarize(start.costs, planned, program))
        program = program.with_report("seen", seen.to_json())
        program = with_other_sizes(program, start.others, kept, request.passes, planned)
    if stopping is not None:
        program = stopping.lay_out(
            program, request.instruments, verified=request.verify_each, stop_after=request.stop_after
        )
    return program, _with_origin(start.provenance, program), seen.calibration or calibration


def _with_origin(provenance: Provenance, program: Program) -> Provenance:
    """What ranges really came from: more samples may have been drawn."""
    origin = entry_with(program.report, "growth").get("origin", provenance.calibration)
    return replace(provenance, calibration=origin)


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
