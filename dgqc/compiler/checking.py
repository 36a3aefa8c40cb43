"""After compiling: the program beside the float model, on inputs that calibration did not see."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from ..backends.registry import REFERENCE
from ..execution.backends import default_backend
from ..execution.compiled_program import CompiledProgram
from ..execution.diffusers_unet import CompiledUNet
from ..execution.verify import evenly_spaced
from ..frontends.loading.answering import answer_of
from ..frontends.loading.exported_unet import ExportedUNet
from ..ir.caching import cached_node
from ..ir.calibration import Calibration, Inputs, samples_in
from ..ir.errors import DgqcError
from ..ir.ops.integer import has_weight
from ..ir.parallel import side_by_side, single_threaded
from ..ir.progress import CHECKING, enter
from ..ir.storage.mapped import letting_go
from ..passes.graph.edit import module_path
from ..report.beside import CHECKED
from ..report.quality import Quality, bound_for, decibels
from ..report.report import entry_with
from .callers import Caller, KnownModel, caller_of
from .prepare import asked_sizes, known_of, settled
from .request import Request

log = logging.getLogger("dgqc")

ALONE = 2
"""Calls that are looked at with the reference alone."""
SAME = 80.0
"""Decibels from which on two answers are one but for the rounding of floats."""
OTHER_SEED = 70_000
"""Between the seeds of samples that calibrate and of those that check."""
AskedSizes = tuple[tuple[int, ...] | None, int]
"""Height and width of latents, tokens of a context."""
WEAKEST = 3
"""Layers that are named."""


@dataclass(frozen=True)
class _Samples:
    """What a program is checked on.

    calls: of a picture. unseen: whether it did not calibrate. drawn: what `caller` draws, None where no whole
    drawing is made.
    """

    calls: Calibration
    unseen: bool
    drawn: Calibration | None
    caller: Caller | None
    model: nn.Module
    sizes: AskedSizes = (None, 0)


@single_threaded()
def check(
    request: Request,
    compiled: CompiledProgram,
    calibration: Calibration | None = None,
    *,
    held_out: Calibration | None = None,
    bound: float | None = None,
) -> Quality:
    """Runs the program on one picture's calls, each from the float model's inputs, then draws with it.

    The picture is one that calibration did not see: drawn for it, or held out of recorded samples. Where too
    few were recorded, those that calibrated are taken again; `unseen` says which. Drawing takes somebody who
    draws, the model's pipeline or scheduler: of recorded samples, a pipeline that makes the same calls.

    calibration: what the program was compiled with. held_out: recorded samples that it was not.
    bound: decibels; None takes those for its widths.
    Raises DgqcError where there are no samples at all.
    """
    enter(CHECKING)
    fast = default_backend() != REFERENCE
    samples = _samples(request, compiled, held_out or calibration, fast, held_out is not None)
    schedule = compiled.program.schedule
    looked_at = {
        step: _ends(samples.calls, step) for step in evenly_spaced(len(schedule), CHECKED if fast else ALONE)
    }
    answers = _float_answers(samples, looked_at, compiled)
    found = {
        step: decibels(answer, compiled.answer(looked_at[step], step=step))
        for step, answer in answers.items()
    }
    summary = compiled.report.get("summary", {})
    if bound is None:
        bound = bound_for(summary.get("weight_bits", 8), summary.get("activation_bits", 8))
    drawing = _drawing(request, compiled, samples)
    return Quality(found, drawing, samples.calls.origin, samples.unseen, bound, _weakest(compiled))


def with_quality(compiled: CompiledProgram, quality: Quality) -> CompiledProgram:
    """The program with what was found in its report."""
    report = {**compiled.report, "quality": quality.to_json()}
    return CompiledProgram(compiled.program, compiled.provenance, report)


def _samples(
    request: Request, compiled: CompiledProgram, recorded: Calibration | None, fast: bool, unseen: bool
) -> _Samples:
    with _said_before():
        known = known_of(request, None if request.calibration is None else recorded)
        request = settled(request, known)
        caller = _caller(request, known, compiled)
    if request.calibration is not None and recorded is None:
        raise DgqcError("A program is checked on calibration samples, and this one has none.")
    drawn: Calibration | None = None
    sizes: AskedSizes = (None, 0)
    if caller is not None:
        sizes = asked_sizes(request, caller, known.tokens)
        drawn = _drawn(request, caller, known.model, sizes)
    times = compiled.program.schedule.timesteps
    # Rows of a model that takes one at a time don't say which of two calls at a timestep they are.
    told = len(set(times)) == len(times) or not isinstance(known.model, ExportedUNet)
    draws = fast and told and len(times) > 1
    calls = recorded if request.calibration is not None else drawn
    assert calls is not None
    return _Samples(
        calls, unseen or request.calibration is None, drawn if draws else None, caller, known.model, sizes
    )


def _caller(request: Request, known: KnownModel, compiled: CompiledProgram) -> Caller | None:
    """Who draws pictures at the program's calls; of a recording, only a pipeline is known to."""
    if request.calibration is None:
        return caller_of(request, known, None)
    if known.pipeline is None:
        return None
    try:
        steps = request.steps or (len(compiled.program.schedule) if request.timesteps is None else None)
        found = caller_of(replace(request, calibration=None, steps=steps), known, None)
    except DgqcError:
        return None  # the recording is of another schedule than the pipeline can be asked for
    same = found.schedule.timesteps == compiled.program.schedule.timesteps
    return found if same and found.drawings is not None else None


@contextmanager
def _said_before() -> Iterator[None]:
    """Warnings of loading a model and asking who calls it were said when it was compiled."""
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _drawn(request: Request, caller: Caller, model: nn.Module, sizes: AskedSizes) -> Calibration:
    """One sample, of another seed than those that calibrate."""
    return caller.samples(model, 1, 1, request.seed + OTHER_SEED, *sizes, purpose="to check")


def _drawing(request: Request, compiled: CompiledProgram, samples: _Samples) -> float | None:
    """Signal to noise of what enters the last call, when the program answers all calls before."""
    if samples.drawn is None or samples.caller is None:
        return None
    caller, stand_in = samples.caller, _standing_in(samples.model, compiled)
    if caller.drawings is not None:
        pipeline = copy.copy(caller.drawings.pipeline)
        pipeline.unet = stand_in
        caller = replace(caller, drawings=replace(caller.drawings, pipeline=pipeline))
    last = len(compiled.program.schedule) - 1
    own = _ends(_drawn(request, caller, stand_in, samples.sizes), last)
    return decibels(_ends(samples.drawn, last)["sample"], own["sample"])


def _standing_in(model: nn.Module, compiled: CompiledProgram) -> nn.Module:
    """The model, which looks as it did and answers as the program does."""
    other: Any = copy.copy(model)
    if isinstance(model, ExportedUNet):

        def answer(timestep: torch.Tensor, **inputs: torch.Tensor) -> torch.Tensor:
            return compiled.answer(inputs, timestep)

        other.forward = answer
    else:
        other.forward = CompiledUNet(compiled, model).forward
    return other  # type: ignore[no-any-return]


def _ends(samples: Calibration, step: int) -> Inputs:
    """The first and the last sample of a call: both halves, where it is guided and drawn alone."""
    batches = list(samples.read(step))
    first = {name: value[:1] for name, value in batches[0].items()}
    if len(batches) == 1 and samples_in(batches[0]) == 1:
        return first
    return {name: torch.cat([value, batches[-1][name][-1:]]) for name, value in first.items()}


def _float_answers(
    samples: _Samples, looked_at: Mapping[int, Inputs], compiled: CompiledProgram
) -> dict[int, torch.Tensor]:
    """What the float model makes of each call, while the program is made ready.

    Of samples that calibrated, passes know it from the graph; the model is asked for one call then, and for
    all where it says something else.
    """
    timesteps, known = compiled.program.schedule.timesteps, _known(samples, looked_at, compiled)

    def done(step: int | None) -> Any:
        if step is None:
            return compiled.build(say=log.debug)
        return answer_of(samples.model, looked_at[step], torch.tensor(timesteps[step]))

    def asked(*steps: int) -> dict[int, torch.Tensor]:
        _, *answers = side_by_side(done, [None, *steps])
        return dict(zip(steps, answers, strict=True))

    first, *others = looked_at
    with torch.no_grad(), letting_go(samples.model):
        if not known:
            return asked(first, *others)
        own = asked(first)
        same = own[first].shape == known[first].shape and decibels(own[first], known[first]) >= SAME
        return own | ({step: known[step] for step in others} if same else asked(*others))


def _known(
    samples: _Samples, looked_at: Mapping[int, Inputs], compiled: CompiledProgram
) -> Mapping[int, torch.Tensor]:
    """What the float network has answered already; nothing unless all of it, and where calls take something
    from others, as the model doesn't."""
    answers = samples.calls.answers
    if not looked_at.keys() <= answers.keys() or cached_node(compiled.program.graph.graph) is not None:
        return {}
    return {
        step: torch.cat([answers[step].first, answers[step].last][: samples_in(inputs)])
        for step, inputs in looked_at.items()
    }


def _weakest(compiled: CompiledProgram) -> dict[str, float]:
    """Of the layers with weights."""
    layers = {module_path(node) for node in compiled.program.graph.graph.nodes if has_weight(node)}
    measured = entry_with(compiled.report, "decibels").get("decibels", {})
    known = {path: value for path, value in measured.items() if value is not None and path in layers}
    return {path: known[path] for path in sorted(known, key=known.__getitem__)[:WEAKEST]}
