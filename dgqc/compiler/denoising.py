"""Adds a denoising loop to a program: the scheduler that calls it, in integers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ..bundle.manifest import InputShape
from ..execution.boundary import to_integers
from ..frontends.samplers import AUTO, sampler_for
from ..ir.arithmetic.operands import shape_of
from ..ir.denoising import Labels
from ..ir.errors import DgqcError
from ..ir.program import Input, Program
from ..ir.tensors import constant
from .loop_tables import tabulate
from .prepare import WITHOUT_LOOP, Start
from .surroundings import with_picture

log = logging.getLogger("dgqc")

LABELS = "class_labels"


def with_asked_loop(program: Program, name: str | None, start: Start) -> Program:
    """The program with the loop that is asked for, if any.

    With "auto" the log says why there is none. Raises DgqcError as `with_loop`, and where a pass has changed
    the scheduler's coefficients but nothing takes them.
    """
    if name is None:
        if program.step_factors is not None:
            raise DgqcError(WITHOUT_LOOP)
        return program
    try:
        found = with_loop(program, name, start.scheduler, start.provenance.inputs)
    except DgqcError as error:
        if name != AUTO or program.step_factors is not None:
            raise
        log.warning("%s The bundle draws no pictures by itself.", error)
        return program
    return with_picture(found, start.around, start.provenance.inputs)


def with_loop(
    program: Program, name: str, scheduler: Mapping[str, Any] | None, model_inputs: tuple[InputShape, ...]
) -> Program:
    """The program with a denoising loop.

    program: at the integer level. name: of the loop, as `sampler_for` takes it. scheduler: the pipeline's
    scheduler_config.json. model_inputs: what the model itself takes.
    Raises DgqcError for a scheduler without a loop, and for a program whose calls a loop can't make.
    """
    sampler = sampler_for(name, scheduler, program.schedule)
    if program.step_factors is not None:
        sampler = sampler.times(program.step_factors)
    sample, *conditions = program.inputs
    output = next(node for node in program.graph.graph.nodes if node.op == "output").args[0]
    if shape_of(output) != sample.shape:
        raise DgqcError(
            f"The model returns {shape_of(output)} for a sample of {sample.shape}, but a denoising loop "
            "needs equal shapes; compile without a loop."
        )
    for given in conditions:
        _refuse_changing_scale(given)
    assert sample.scale is not None
    assert program.output_scale is not None
    try:
        loop = tabulate(sampler, sample.scale, program.output_scale, _labels(program, model_inputs))
    except OverflowError as error:
        raise DgqcError(f"The denoising loop's factors don't fit integers: {error}.") from error
    return replace(program, loop=loop, step_factors=None)


def _refuse_changing_scale(given: Input) -> None:
    assert given.scale is not None
    if bool((given.scale != given.scale[0]).any()):
        raise DgqcError(
            f"The scale of {given.name} differs between calls, but a denoising loop gives every call the "
            "same numbers; calibrate with conditions that stay the same through a picture."
        )


def _labels(program: Program, model_inputs: tuple[InputShape, ...]) -> Labels | None:
    """The codes of every class label, where labels are all that the program's condition is made of."""
    taken = [one for one in model_inputs if one.name != "sample"]
    count = _label_count(program)
    if count is None or len(program.inputs) != 2 or [one.name for one in taken] != [LABELS]:
        return None
    name = program.inputs[1].name
    sample = torch.zeros(program.inputs[0].shape)
    rows = [
        to_integers(program, {"sample": sample, LABELS: torch.tensor([i])}, 0)[name] for i in range(count)
    ]
    return Labels(name, torch.stack(rows))


def _label_count(program: Program) -> int | None:
    """Rows of the table that labels are looked up in."""
    nodes = program.prologue.graph.nodes if program.prologue is not None else ()
    for node in nodes:
        if node.target is torch.ops.aten.embedding.default and str(node.args[1].target) == LABELS:
            assert program.prologue is not None
            return int(constant(program.prologue, str(node.args[0].target)).shape[0])
    return None
