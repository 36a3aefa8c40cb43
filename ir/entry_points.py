"""What other packages offer by entry points: passes, targets."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points


def offered(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, of every package that can be imported now."""
    return _offered_on(group, tuple(sys.path))


def package_of(point: EntryPoint) -> str:
    """The package that an entry point belongs to, by the name it is installed under."""
    distribution = getattr(point, "dist", None)
    return str(distribution.name) if distribution is not None else point.module.partition(".")[0]


@lru_cache(maxsize=16)
def _offered_on(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # Keyed by the search path, so that a package found there later counts.
    return tuple(dict.fromkeys(entry_points(group=group)))
