"""Progress of long work, without the workers knowing who shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Show = Callable[[str, int, int], None]
"""show(description, done, total)"""

_show: ContextVar[Show | None] = ContextVar("dgqc_progress", default=None)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Sends the progress of everything inside to `show`."""
    token = _show.set(show)
    try:
        yield
    finally:
        _show.reset(token)


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yields the items and tells whoever listens how far the work is."""
    show = _show.get()
    for done, item in enumerate(items):
        if show:
            show(description, done, total)
        yield item
    if show:
        show(description, total, total)
