"""A program whose kernel calls are on the clock: a copy of the emitted C, with a reading behind each."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ....ir.program import Program
from ....ir.storage.whole import write_text
from ..emission.emit import emit
from .build import build
from .run import CProgram

NAME = "timed"
GROUP = re.compile(r"static void (?:group|rows)_(\d+)\w*\(")
COMMENT = re.compile(r"\s*/\* (\w+).* \*/$")
CALL = re.compile(r"\s+dgqc_(\w+)\(.*\);$")
"""A group's function or that of its rows, the comment that says whose call follows, and the call."""
CLOCK = """#define _POSIX_C_SOURCE 199309L
#include <time.h>

double timed_seconds[{count}];
static double timed_last;

static double timed_now(void)
{{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}}

static void timed_begin(void)
{{
    timed_last = timed_now();
}}

static void timed_end(int call)
{{
    const double now = timed_now();
    timed_seconds[call] += now - timed_last;
    timed_last = now;
}}

"""


@dataclass(frozen=True)
class ClockedCall:
    """A kernel's call in the emitted C.

    group: number of the fusion group that it stands in. node: what it computes, by name. kernel: the function
    that it calls, without `dgqc_`.
    """

    group: int
    node: str
    kernel: str


class ClockedProgram:
    """An emitted program on one thread, and where the time of its calls goes.

    calls: all kernel calls in the order in which they stand in the C.
    """

    def __init__(self, laid_out: Program, folder: Path, *, matrix_units: bool = True) -> None:
        """folder: of its sources, which are written there. matrix_units: whether to use them, where there are
        some. Raises DgqcError as `build` does.
        """
        emit(laid_out, folder, name=NAME)
        self.calls = _with_clock(folder / "src" / f"{NAME}.c")
        self._program = CProgram(build(folder), threads=1)
        if not matrix_units:
            getattr(self._program.library, f"{NAME}_use_matrix_units")(0)
        self._seconds = (ctypes.c_double * len(self.calls)).in_dll(self._program.library, f"{NAME}_seconds")

    def seconds(self, inputs: Mapping[str, torch.Tensor], step: int = 0) -> list[float]:
        """Runs the program once. Returns the seconds of each of `calls`, all of its blocks of rows together.

        Raises DgqcError as `CProgram.run` does.
        """
        ctypes.memset(self._seconds, 0, ctypes.sizeof(self._seconds))
        self._program.run(inputs, step)
        return list(self._seconds)


def _with_clock(source: Path) -> tuple[ClockedCall, ...]:
    """Puts the readings into a program's C, and says what each of them is of."""
    lines, calls = list[str](), list[ClockedCall]()
    group, node = -1, ""
    for line in source.read_text(encoding="utf-8").splitlines():
        lines.append(line)
        if found := GROUP.match(line):
            group = int(found[1])
        elif line == "{" and group >= 0:
            lines.append("    timed_begin();")
        elif line == "}":
            group = -1
        elif found := COMMENT.match(line):
            node = found[1]
        elif group >= 0 and (found := CALL.match(line)):
            lines.append(f"    timed_end({len(calls)});")
            calls.append(ClockedCall(group, node, found[1]))
    write_text(source, CLOCK.format(count=max(1, len(calls))) + "\n".join(lines) + "\n")
    return tuple(calls)
