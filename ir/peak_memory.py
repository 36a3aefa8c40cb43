"""The most memory that this process has had."""

from __future__ import annotations

import sys


def peak_memory() -> int:
    """Bytes of the largest resident memory so far; 0 where the system doesn't tell."""
    try:
        import resource
    except ImportError:  # Windows has none.
        return 0
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(found) * (1 if sys.platform == "darwin" else 1024)
