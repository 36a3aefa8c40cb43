"""Progress of long work, without the workers knowing who shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Show = Callable[[str, int, int], None]
"""show(description, done, total)"""


class Display(Protocol):
    """Whoever shows how far a command is."""

    def show(self, description: str, done: int, total: int) -> None:
        """How far one piece of work is."""

    def enter(self, phase: str, place: int, count: int) -> None:
        """What the command does from now on: phase number `place` of `count`; 0 where they aren't counted."""

    def expect(self, least: float, most: float) -> None:
        """How many seconds the work that begins here is thought to take in all."""


@dataclass(frozen=True)
class Shown:
    """A display of pieces of work alone."""

    show: Show

    def enter(self, phase: str, place: int, count: int) -> None:
        """Nothing."""

    def expect(self, least: float, most: float) -> None:
        """Nothing."""


_display: ContextVar[Display | None] = ContextVar("dgqc_progress", default=None)


@contextmanager
def shown_by(display: Display | Show) -> Iterator[None]:
    """Sends the progress of everything inside to a display, or to a function that shows pieces of work."""
    token = _display.set(Shown(display) if callable(display) else display)
    try:
        yield
    finally:
        _display.reset(token)


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yields the items and tells whoever listens how far the work is."""
    display = _display.get()
    for done, item in enumerate(items):
        if display:
            display.show(description, done, total)
        yield item
    if display:
        display.show(description, total, total)


def enter(phase: str, place: int = 0, count: int = 0) -> None:
    """Tells whoever listens what comes now."""
    if display := _display.get():
        display.enter(phase, place, count)


def expect(least: float, most: float) -> None:
    """Tells whoever listens how many seconds the work that begins here is thought to take."""
    if display := _display.get():
        display.expect(least, most)
