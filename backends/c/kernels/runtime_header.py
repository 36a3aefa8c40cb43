"""Numbers that the runtime's headers define: read there, so that they stand nowhere twice."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

RUNTIME = Path(__file__).parents[1] / "runtime"
_NUMBER = re.compile(r"^#define (DGQC_\w+) (\d+)$", re.MULTILINE)


@lru_cache(maxsize=1)
def defined_numbers() -> dict[str, int]:
    """Every `#define DGQC_NAME number` of the runtime's headers; numbers are plain decimal ones.

    Raises ValueError where a name is defined twice, with different numbers.
    """
    found: dict[str, int] = {}
    for header in sorted(RUNTIME.glob("*.h")):
        for name, number in _NUMBER.findall(header.read_text(encoding="utf-8")):
            if found.setdefault(name, int(number)) != int(number):
                raise ValueError(f"{header.name} defines {name} as {number}, but another as {found[name]}")
    return found


def defined(name: str) -> int:
    """One of them. Raises KeyError where no header defines it."""
    return defined_numbers()[name]
