"""Runs a command as a child process and measures it: time, peak memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """What a command took.

    seconds: by the clock. cpu: of all its threads. peak: largest resident memory, in bytes.
    output: both streams.
    """

    seconds: float
    cpu: float
    peak: int
    output: str


def run(command: Sequence[str | Path], *, threads: int, extra: Mapping[str, str] | None = None) -> Measured:
    """Runs a command to its end with `threads` threads for whatever library it uses.

    The caller should be small: a child begins as a copy of its parent, whose memory counts in its peak.
    Raises SystemExit with the command's output when it fails.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), **(extra or {})}
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{output}")
    return Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, output)
