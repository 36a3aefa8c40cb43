"""The machine's int8 peak: how many multiply-accumulates one processor can do in a second at best."""

from __future__ import annotations

import statistics
import subprocess
from functools import lru_cache
from pathlib import Path

from ....ir.errors import DgqcError
from ....ir.storage.leftovers import temporary_folder
from .toolchain import find_compiler

SOURCE = Path(__file__).with_name("peak.c")
FLAGS = ("-std=c11", "-O3", "-march=native")
TIMES, MEASUREMENTS = 400_000, 9
"""Of the loop, about a tenth of a second in all."""


@lru_cache(maxsize=1)
def int8_peak() -> float:
    """Multiply-accumulates a second of one processor, measured once a process; fewer where others work here.

    Raises DgqcError where there is no C compiler, or it can't build the loop.
    """
    compiler = find_compiler()
    with temporary_folder("peak") as place:
        program = place / "peak"
        _answer([compiler, *FLAGS, str(SOURCE), "-o", str(program)])
        each = int(_answer([str(program)]))
        seconds = _answer([str(program), "1", str(TIMES)], f"{MEASUREMENTS}\n").split()[1:]
    return TIMES * each / statistics.median(float(one) for one in seconds)


def _answer(command: list[str], asked: str = "") -> str:
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.splitlines() or ["it says nothing"])[0]
        raise DgqcError(f"The int8 peak can't be measured here: {said}.")
    return done.stdout
