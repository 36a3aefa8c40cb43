"""Where the time of a call goes: each fusion group on the clock, in a copy of the emitted C."""

from __future__ import annotations

import ctypes
import re
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import fx

from ....ir.ops.integer import is_product
from ....ir.program import Program
from ....ir.storage.leftovers import temporary_folder
from ....ir.storage.whole import write_text
from ....passes.graph.edit import module_path
from ..emission.emit import emit
from ..layout.plan import layout_of
from .build import build
from .run import CProgram

NAME = "timed"
CALL = re.compile(r"^    group_(\d+)\(run\);$", re.MULTILINE)
CLOCK = """#define _POSIX_C_SOURCE 199309L
#include <time.h>

double timed_seconds[{count}];
static double timed_last;

static void timed_end(int group)
{{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    if (group >= 0)
        timed_seconds[group] = seconds - timed_last;
    timed_last = seconds;
}}

"""


def seconds_by_module(
    laid_out: Program, inputs: Mapping[str, torch.Tensor], repeats: int
) -> dict[str, float]:
    """The median seconds of a first call on one thread, by the place in the model, in the order of running.

    What runs together counts as one, and stands under its product. Raises DgqcError as `build` does.
    """
    fusion = layout_of(laid_out).fusion
    assert fusion is not None
    nodes = {node.name: node for node in laid_out.graph.graph.nodes}
    groups = [[nodes[name] for name in group.nodes] for group in fusion.groups]
    with temporary_folder("timing") as folder:
        emit(laid_out, folder, name=NAME)
        _with_clock(folder / "src" / f"{NAME}.c", len(groups))
        program = CProgram(build(folder), threads=1)
        measured = [_call(program, inputs, len(groups)) for _ in range(repeats + 1)][1:]
    found: dict[str, float] = {}
    for group, times in zip(groups, zip(*measured, strict=True), strict=True):
        module = _module(group)
        found[module] = found.get(module, 0.0) + statistics.median(times)
    return found


def _with_clock(source: Path, count: int) -> None:
    text, found = CALL.subn(
        lambda one: f"{'    timed_end(-1);' if one[1] == '0' else ''}\n{one[0]}\n    timed_end({one[1]});",
        source.read_text(encoding="utf-8"),
    )
    assert found == count, f"{found} calls of {count} groups"
    write_text(source, CLOCK.format(count=count) + text)


def _module(group: list[fx.Node]) -> str:
    """The product's place, or that of the first of them."""
    return module_path(next((node for node in group if is_product(node)), group[0]))


def _call(program: CProgram, inputs: Mapping[str, torch.Tensor], count: int) -> list[float]:
    """Seconds of each group in one call."""
    program.run(inputs, 0)
    return list((ctypes.c_double * count).in_dll(program.library, f"{NAME}_seconds"))
