"""The denoising loop as C: `NAME_loop.h`, `NAME_loop.c`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import torch

from ....ir.denoising import DenoisingLoop
from ....ir.errors import DgqcError
from ....ir.program import Program
from ....ir.vector import DrawingVector
from ..layout.memory_plan import aligned
from ..layout.plan import layout_of
from .literals import values

BETWEEN = ("begin_latent", "begin_noise", "begin_shift", "noise_of", "ways")
"""Tables that `NAME_denoise` itself reads; kernels get the others."""
InputShapes = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class LoopMemory:
    """Where a loop keeps its terms, `stride` int32 each, at the beginning of its memory, the UNet's sample
    after them, and after it the cache of a guided drawing's other half."""

    stride: int
    sample: int
    cache: int
    bytes: int


def loop_memory(loop: DenoisingLoop, elements: int, cache_bytes: int) -> LoopMemory:
    """What a loop needs besides the program's arena. elements: of the sample. cache_bytes: of the other half,
    0 where there is none, or nothing is cached."""
    stride = aligned(4 * elements) // 4
    sample = 4 * stride * loop.terms
    cache = sample + aligned(2 * elements)
    return LoopMemory(stride, sample, cache, cache + aligned(cache_bytes))


def loop_memory_of(program: Program) -> LoopMemory:
    """Of a program with a loop and a memory plan."""
    memory = layout_of(program).memory
    assert program.loop is not None
    halves = memory is not None and memory.cache is not None and len(program.inputs) > 1
    cache_bytes = memory.cache.bytes if halves and memory and memory.cache else 0
    return loop_memory(program.loop, math.prod(program.inputs[0].shape), cache_bytes)


def write_loop(
    environment: jinja2.Environment,
    loop: DenoisingLoop,
    directory: Path,
    name: str,
    inputs: InputShapes,
    cache_bytes: int,
) -> None:
    """Writes both files. inputs: the program's, the sample first. cache_bytes: of what it caches, or 0."""
    (_, sample_shape), *conditions = inputs
    elements = math.prod(sample_shape)
    tables = {
        item: table
        for item, table in loop.tables.items()
        if table.numel() and (item != "noise_of" or loop.noises)
    }
    context = {
        "name": name,
        "upper": name.upper(),
        "memory": loop_memory(loop, elements, cache_bytes if conditions else 0),
        "cache": cache_bytes > 0,
        "elements": elements,
        "shape": " x ".join(map(str, sample_shape)),
        "conditions": [(item, " x ".join(map(str, shape))) for item, shape in conditions],
        "tables": [(item, table.numel(), values(table.flatten())) for item, table in tables.items()],
        "given": [item for item in tables if item not in BETWEEN],
        "ways": loop.ways.shape[1],
        "noise_pictures": loop.noise_pictures,
        "loop": loop,
        "labels": _labels(loop),
    }
    for template, path in (
        ("loop.h", directory / "include" / f"{name}_loop.h"),
        ("loop.c", directory / "src" / f"{name}_loop.c"),
    ):
        path.write_text(
            environment.get_template(f"{template}.jinja").render(context), encoding="utf-8", newline="\n"
        )


def written_drawing(drawing: DrawingVector | None, inputs: InputShapes) -> dict[str, Any] | None:
    """A drawing as C initializers. Raises DgqcError when it isn't one of this program."""
    if drawing is None:
        return None
    (_, shape), *conditions = inputs
    expected = {**dict(conditions), "the output": shape}
    for given in (drawing.conditions, drawing.negative or drawing.conditions):
        found = {**given, "the output": drawing.output}
        for name, wanted in expected.items():
            if name not in found or found[name].dtype != torch.int16 or tuple(found[name].shape) != wanted:
                raise DgqcError(f"The test drawing needs {name} as int16 of shape {wanted}.")
    return {
        "seed": drawing.seed & 0xFFFFFFFF,
        "guidance": drawing.guidance,
        "conditions": {name: values(drawing.conditions[name].contiguous()) for name, _ in conditions},
        "negative": {name: values(one.contiguous()) for name, one in drawing.negative.items()},
        "output": values(drawing.output.contiguous()),
    }


def _labels(loop: DenoisingLoop) -> dict[str, Any] | None:
    if loop.labels is None:
        return None
    codes = loop.labels.codes
    rows = [values(row) for row in codes.flatten(1)]
    return {"input": loop.labels.input, "count": len(rows), "elements": codes[0].numel(), "rows": rows}
