"""What this machine's processors can do, and how many of them this process may use."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache


def usable_processors() -> int:
    """Processors that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=8)
def instruction_sets(command: str, flags: tuple[str, ...]) -> str:
    """Which instructions a compiler would use here, as the macros that it defines.

    `-march=native` means something else on each machine, and a home folder may be shared by unlike ones.
    """
    asked = [command, *flags, "-dM", "-E", "-x", "c", os.devnull]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return "\n".join(sorted(done.stdout.splitlines()))
