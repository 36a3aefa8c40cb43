"""What this machine's processors can do, and how many of them this process may use."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from functools import lru_cache


def usable_processors() -> int:
    """Processors that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18
"""Of Linux on x86-64: a call, what is asked by it, and what for."""


@lru_cache(maxsize=1)
def may_use_matrix_units() -> bool:
    """Asks the operating system for this process to use the processor's matrix units, those of AMX.

    False where there are none, or where it refuses; programs then go on without.
    """
    if platform.machine() != "x86_64" or not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA) == 0)


@lru_cache(maxsize=8)
def instruction_sets(command: str, flags: tuple[str, ...]) -> str:
    """Which instructions a compiler would use here, as the macros that it defines.

    `-march=native` means something else on each machine, and a home folder may be shared by unlike ones.
    """
    asked = [command, *flags, "-dM", "-E", "-x", "c", os.devnull]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return "\n".join(sorted(done.stdout.splitlines()))
