"""Adds a denoising loop to a program: a sampler's real numbers become integer tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ..bundle.manifest import InputShape
from ..execution.boundary import to_integers
from ..frontends.samplers import sampler_for
from ..ir.arithmetic.fixed_point import multiplier, shared_shift_multipliers
from ..ir.arithmetic.operands import shape_of
from ..ir.denoising import STATE_BITS, UNCLIPPED, DenoisingLoop, Labels, Sampler
from ..ir.errors import DgqcError
from ..ir.program import Input, Program
from ..ir.tensors import constant

LABELS = "class_labels"


def with_loop(
    program: Program, name: str, scheduler: Mapping[str, Any] | None, model_inputs: tuple[InputShape, ...]
) -> Program:
    """The program with a denoising loop.

    program: at the integer level. name: of the sampler, "ddim". scheduler: the pipeline's
    scheduler_config.json. model_inputs: what the model itself takes.
    Raises DgqcError for a scheduler without a loop, and for a program whose calls a loop can't make.
    """
    sampler = sampler_for(name, scheduler, program.schedule)
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
    return replace(program, loop=loop)


def tabulate(
    sampler: Sampler, sample_scale: torch.Tensor, output_scale: torch.Tensor, labels: Labels | None = None
) -> DenoisingLoop:
    """The sampler's integer tables. Scales: float64 (T,), what one int16 step of sample and output is worth.

    Raises OverflowError where a factor has no mantissa of its width.
    """
    rows = torch.tensor(
        [
            (c.clean_of_state, c.clean_of_output, c.next_of_clean, c.next_of_state, c.next_of_output)
            for c in sampler.calls
        ],
        dtype=torch.float64,
    )
    clean, following = rows[:, :2], rows[:, 2:]
    if sampler.limit is None:
        # Without a clip between them both combinations are one, which needs no range for a clean picture.
        following = torch.cat(
            [torch.zeros_like(clean[:, :1]), following[:, 1:] + following[:, :1] * clean], 1
        )
        clean = torch.zeros_like(clean)
    sample_factor, sample_shift = multiplier(2.0**-STATE_BITS / sample_scale.to(torch.float64), bits=30)
    output_factor, output_shift = multiplier(2.0**STATE_BITS * output_scale.to(torch.float64))
    (clean_of_state, clean_of_output), clean_shift = _signed(clean)
    (next_of_clean, next_of_state, next_of_output), next_shift = _signed(following)
    limit = UNCLIPPED if sampler.limit is None else min(UNCLIPPED, round(sampler.limit * 2**STATE_BITS))
    return DenoisingLoop(
        sample_factor,
        sample_shift,
        output_factor,
        output_shift,
        clean_of_state,
        clean_of_output,
        clean_shift,
        next_of_clean,
        next_of_state,
        next_of_output,
        next_shift,
        limit,
        labels,
    )


def _signed(reals: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Mantissas below 2^28 of each column (T,), and their shared shift."""
    columns = list(reals.unbind(dim=1))
    magnitudes, shift = shared_shift_multipliers([column.abs() for column in columns], bits=28)
    signs = [torch.sign(column).to(torch.int32) for column in columns]
    return [sign * magnitude for sign, magnitude in zip(signs, magnitudes, strict=True)], shift


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
