"""What other packages offer by entry points: passes, targets, judges, decoders."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import DgqcError


def offered(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, of every package that can be imported now."""
    return _offered_on(group, tuple(sys.path))


def package_of(point: EntryPoint) -> str:
    """The package that an entry point belongs to, by the name it is installed under."""
    distribution = getattr(point, "dist", None)
    return str(distribution.name) if distribution is not None else point.module.partition(".")[0]


def loaded(point: EntryPoint, what: str, kind: type[DgqcError] = DgqcError) -> Any:
    """What an entry point names. what: "Target" or the like, which a sentence begins with.

    Raises `kind` where it can't be imported.
    """
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise kind(
            f"{what} {point.name} of the package {package_of(point)} can't be loaded from {point.value} "
            f"({error}); repair or reinstall the package."
        ) from error


@lru_cache(maxsize=16)
def _offered_on(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # Keyed by the search path, so that a package found there later counts.
    return tuple(dict.fromkeys(entry_points(group=group)))
