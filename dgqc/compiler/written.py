"""Options as text and as JSON: how the command line's texts are read, how manifests write values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..ir.errors import DgqcError


def height_and_width(text: str | None) -> tuple[int, ...] | None:
    """(height, width) of `64x48`, (frames, height, width) of `16x64x48`. Raises DgqcError for others."""
    if text is None:
        return None
    found = re.fullmatch(r"[1-9]\d*(x[1-9]\d*){1,2}", text)
    if not found:
        raise DgqcError(
            f"--sample-size is {text!r}, but it is written as height x width, 64x64, or frames x height x "
            "width: 16x64x64."
        )
    return tuple(int(one) for one in text.split("x"))


def timestep_list(text: str | None) -> tuple[float, ...] | None:
    """The numbers of `999,749.5,-3`. Raises DgqcError when it is something else."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise DgqcError(f"--timesteps is {text!r}, but it is numbers with commas: 999,749,499,249.") from None


def as_json(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    return str(value) if isinstance(value, Path) else value
