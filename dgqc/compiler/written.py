"""Options as text and as JSON: how the command line's texts are read, how manifests write values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..ir.errors import DgqcError
from ..ir.sample_size import SampleSize

AskedSize = SampleSize | tuple[SampleSize, ...] | None
"""One size, several of them, or nobody's choice."""


def sample_sizes(text: str | None) -> AskedSize:
    """(height, width) of `64x48`, (frames, height, width) of `16x64x48`; a tuple of several with commas.

    Raises DgqcError for others.
    """
    if text is None:
        return None
    size = r"[1-9]\d*(x[1-9]\d*){1,2}"
    if not re.fullmatch(f"{size}(,{size})*", text):
        raise DgqcError(
            f"--sample-size is {text!r}, but it is written as height x width, 64x64, or frames x height x "
            "width: 16x64x64; several with commas: 64x64,64x96."
        )
    found = tuple(tuple(int(number) for number in one.split("x")) for one in text.split(","))
    return found if len(found) > 1 else found[0]


def check_size(asked: Any) -> None:
    """Raises DgqcError for what Python gave in the place of a size, of several, or of None."""
    if asked is None:
        return
    several = isinstance(asked, Sequence) and bool(asked) and isinstance(asked[0], Sequence)
    if isinstance(asked, str) or not all(map(_is_size, asked if several else (asked,))):
        raise DgqcError(
            f"sample_size is {asked!r}, but it is height and width, (64, 64), or frames, height and width: "
            "(16, 64, 64); or a tuple of several."
        )


def _is_size(one: Any) -> bool:
    known = isinstance(one, Sequence) and 2 <= len(one) <= 3
    return known and all(isinstance(number, Integral) and int(number) >= 1 for number in one)


def check_timesteps(asked: Any) -> None:
    """Raises DgqcError for what Python gave in the place of finite numbers, or of None."""
    listed = isinstance(asked, Sequence) and not isinstance(asked, str) and bool(asked)
    if asked is not None and not (listed and all(isinstance(one, Real) and isfinite(one) for one in asked)):
        raise DgqcError(f"timesteps is {asked!r}, but it is finite numbers: (999, 749, 499, 249).")


def one_size(asked: AskedSize) -> SampleSize | None:
    """The size that is asked for. Raises DgqcError where there are several."""
    if asked and isinstance(asked[0], tuple):
        raise DgqcError("Several sizes are for `dgqc compile` alone; give one with --sample-size.")
    return asked  # type: ignore[return-value]


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
