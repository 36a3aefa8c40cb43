"""An adapter as somebody names it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...ir.errors import DgqcError


@dataclass(frozen=True)
class Adapter:
    """A file of changes, or peft's folder of it, and how strongly they count.

    Raises DgqcError for a strength that is no number.
    """

    path: Path
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength):
            raise DgqcError(f"The strength of {self.path} is {self.strength}; give a number such as 0.8.")


def adapters_of(texts: str | Path | Iterable[str | Path]) -> tuple[Adapter, ...]:
    """Adapters from `FILE` or `FILE:STRENGTH`, one or several."""
    several = [texts] if isinstance(texts, str | Path) else texts
    return tuple(_adapter(str(one)) for one in several)


def _adapter(text: str) -> Adapter:
    path, colon, number = text.rpartition(":")
    if colon and path:
        try:
            return Adapter(Path(path), float(number))
        except ValueError:
            pass  # a colon of the file's own name
    return Adapter(Path(text))
