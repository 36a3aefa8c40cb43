"""What the tables of a denoising loop must look like beside the program that it calls."""

from __future__ import annotations

import torch

from ..denoising import UNCLIPPED, Labels
from ..program import Program
from .checks import Problem, Problems, type_name

SHIFTS = (1, 62)
SAMPLE_FACTORS, OUTPUT_FACTORS = (0, 2**30), (0, 2**31 - 1)
COMBINATIONS = (-(2**28), 2**28)


def loop_problems(program: Program) -> Problems:
    """Every problem of a program's loop, as `DenoisingLoop` says what it must be; none without a loop."""
    loop = program.loop
    if loop is None:
        return
    for name, table in loop.tables.items():
        yield from _table(name, table, len(program.schedule))
    if not 0 <= loop.limit <= UNCLIPPED:
        yield Problem(f"the loop's limit {loop.limit}", f"0 to {UNCLIPPED}", "it was made by hand")
    if not program.inputs:
        yield Problem("a loop of a program without inputs", "a sample", "one of both was changed alone")
    elif program.inputs[0].exponent is not None:
        yield Problem("a loop whose sample has exponents", "one scale", "one of both was changed alone")
    if loop.labels is not None:
        yield from _labels(loop.labels, program)


def _table(name: str, table: torch.Tensor, calls: int) -> Problems:
    if table.dtype is not torch.int32 or table.shape != (calls,):
        found = f"the loop's {name} {type_name(table)}"
        yield Problem(found, f"int32 ({calls},)", "it was made for another schedule")
        return
    low, high = _limits(name)
    if int(table.min()) < low or int(table.max()) > high:
        found = f"the loop's {name} with {int(table.min())} to {int(table.max())}"
        yield Problem(found, f"{low} to {high}", "its factors were not split into whole numbers")


def _limits(name: str) -> tuple[int, int]:
    if name.endswith("_shift"):
        return SHIFTS
    return {"sample_factor": SAMPLE_FACTORS, "output_factor": OUTPUT_FACTORS}.get(name, COMBINATIONS)


def _labels(labels: Labels, program: Program) -> Problems:
    shapes = {item.name: item.shape for item in program.inputs[1:]}
    shape = shapes.get(labels.input)
    codes = labels.codes
    if shape is None:
        yield Problem(
            f"labels for the input {labels.input}",
            f"one of {', '.join(shapes) or 'none'}",
            "an input was renamed",
        )
    elif codes.dtype is not torch.int16 or codes.shape[1:] != shape or not len(codes):
        size = " x ".join(map(str, shape))
        found = f"labels {type_name(codes)}"
        yield Problem(found, f"int16, labels x {size}", "they were made for another model")
