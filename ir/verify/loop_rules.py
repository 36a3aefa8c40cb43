"""What the tables of a denoising loop must look like beside the program that it calls."""

from __future__ import annotations

import math

import torch

from ..arithmetic.fixed_point import ACCUMULATOR_LIMIT
from ..denoising import MOST_TERMS, OUTPUT_LIMIT, DenoisingLoop, Labels
from ..program import Program
from ..sampler import CLEAN, KEPT, NOISE, OUTPUT, STATE, StepFactors
from .checks import Problem, Problems, type_name

SHIFT, FACTOR = (1, 62), (-(2**31) + 1, 2**31 - 1)
SAMPLE_FACTOR = (0, 2**30)
HELD = {STATE: 2**31, OUTPUT: OUTPUT_LIMIT, NOISE: 2**15, KEPT: 2**31, CLEAN: 2**31}
"""The largest magnitude of each kind of term."""
SUMS = ("next", "clean", "kept")


def loop_problems(program: Program) -> Problems:
    """Every problem of a program's loop, as `DenoisingLoop` says what it must be, and of what its
    coefficients will be multiplied by; none without a loop and factors."""
    loop = program.loop
    if program.step_factors is not None:
        yield from _factors(program.step_factors, len(program.schedule))
    if loop is None:
        return
    if not program.inputs:
        yield Problem("a loop of a program without inputs", "a sample", "one of both was changed alone")
    elif program.inputs[0].exponent is not None:
        yield Problem("a loop whose sample has exponents", "one scale", "one of both was changed alone")
    sizes = list(_sizes(loop))
    yield from sizes
    if not sizes:
        found = list(_tables(loop, len(program.schedule)))
        yield from found
        if not found:
            yield from _sums(loop)
    if loop.labels is not None:
        yield from _labels(loop.labels, program)


def _factors(factors: StepFactors, calls: int) -> Problems:
    for name, values in (("state", factors.state), ("answer", factors.answer)):
        if len(values) != calls:
            found = f"{len(values)} step factors of the {name}"
            yield Problem(found, f"{calls}, one a call", "it was made for another schedule")
        if not all(math.isfinite(one) for one in values):
            found = f"step factors of the {name} that aren't finite"
            yield Problem(found, "finite numbers", "the model overflows here")


def _sizes(loop: DenoisingLoop) -> Problems:
    depths = loop.depths
    least = {STATE: 1, OUTPUT: 1, NOISE: 0, KEPT: 0, CLEAN: 0}
    if any(depths[kind] < least[kind] for kind in depths) or depths[KEPT] > 1 or loop.terms > MOST_TERMS:
        text = f"1 state and output at least, 1 kept at most, {MOST_TERMS} terms in all"
        yield Problem(f"a loop of {depths}", text, "it was made by hand")
    numbers = {
        "limit": (loop.limit, (0, 2**31 - 1)),
        "first_factor": (loop.first_factor, SAMPLE_FACTOR),
        "first_shift": (loop.first_shift, SHIFT),
        "last_factor": (loop.last_factor, SAMPLE_FACTOR),
        "last_shift": (loop.last_shift, SHIFT),
    }
    for name, (value, (low, high)) in numbers.items():
        if not low <= value <= high:
            yield Problem(f"the loop's {name} {value}", f"{low} to {high}", "it was made by hand")


def _tables(loop: DenoisingLoop, calls: int) -> Problems:
    rows = len(loop.next_shift)
    per_call = {
        "sample_factor": SAMPLE_FACTOR,
        "sample_shift": SHIFT,
        "begin_latent": FACTOR,
        "begin_noise": FACTOR,
        "begin_shift": (0, SHIFT[1]),
        "noise_of": (0, calls),
    }
    for name, limits in per_call.items():
        yield from _table(name, getattr(loop, name), (calls,), limits)
    width = loop.ways.shape[1] if loop.ways.dim() == 2 else 1
    yield from _table("ways", loop.ways, (calls, max(1, width)), (0, rows - 1))
    used = {"next": rows, "clean": rows if loop.cleans else 0, "kept": rows if loop.kepts else 0}
    for name in SUMS:
        yield from _table(name, getattr(loop, name), (used[name], loop.terms), FACTOR)
        yield from _table(f"{name}_shift", getattr(loop, f"{name}_shift"), (used[name],), SHIFT)


def _table(name: str, table: torch.Tensor, shape: tuple[int, ...], limits: tuple[int, int]) -> Problems:
    if table.dtype is not torch.int32 or table.shape != shape:
        found = f"the loop's {name} {type_name(table)}"
        yield Problem(found, f"int32 {shape}", "it was made for another schedule")
        return
    low, high = limits
    if table.numel() and (int(table.min()) < low or int(table.max()) > high):
        found = f"the loop's {name} with {int(table.min())} to {int(table.max())}"
        yield Problem(found, f"{low} to {high}", "its factors were not split into whole numbers")


def _sums(loop: DenoisingLoop) -> Problems:
    """No sum may leave 64 bits, whatever its terms are."""
    held = torch.tensor(
        [float(HELD[kind]) for kind, depth in loop.depths.items() for _ in range(depth)], dtype=torch.float64
    )
    begins = torch.stack([loop.begin_latent, loop.begin_noise], dim=1)
    tables = {name: (getattr(loop, name), held) for name in SUMS}
    tables["begin"] = (begins, torch.full((2,), 2.0**15, dtype=torch.float64))
    for name, (table, most) in tables.items():
        if name == "clean" and bool(table[:, loop.terms - max(1, loop.cleans)].any()):
            yield Problem("a clean picture made of itself", "factors of 0 there", "it was made by hand")
        largest = float((table.double().abs() @ most).max()) if table.numel() else 0.0
        if largest >= ACCUMULATOR_LIMIT:
            found = f"the loop's {name} with sums up to {largest:.3g}"
            yield Problem(found, f"less than {ACCUMULATOR_LIMIT}", "its factors are too large")


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
