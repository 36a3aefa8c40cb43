"""Two paths change places in one step, where the system can do that."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

HERE = -100
"""AT_FDCWD: relative paths are relative to the current folder."""
EXCHANGE = 2
"""RENAME_EXCHANGE of Linux, and RENAME_SWAP of macOS."""


def exchange(one: Path, other: Path) -> bool:
    """Lets what stands at two paths change places. False where the system or its file system can't."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        first, second = os.fsencode(one), os.fsencode(other)
        if sys.platform == "darwin":
            return int(libc.renamex_np(first, second, EXCHANGE)) == 0
        return int(libc.renameat2(HERE, first, HERE, second, EXCHANGE)) == 0
    except (AttributeError, OSError, TypeError):  # No such call, or no library to look for it in.
        return False
