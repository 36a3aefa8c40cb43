"""Who brings passes besides this folder and packages with entry points of their own: targets do.

Rooms don't know each other, so `dgqc` itself says who, when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Source = Callable[[], Iterable[tuple[str, str]]]
"""Gives passes by name, each with the module that defines it."""

_sources: list[Source] = []


def add_source(source: Source) -> None:
    """From now on these passes are known too. The source is asked whenever a name isn't known otherwise."""
    if source not in _sources:
        _sources.append(source)


def brought() -> dict[str, list[str]]:
    """Passes that sources bring, in their order, each with the modules that say they define it."""
    found: dict[str, list[str]] = {}
    for source in _sources:
        for name, module in source():
            found.setdefault(name, [])
            if module not in found[name]:
                found[name].append(module)
    return found
