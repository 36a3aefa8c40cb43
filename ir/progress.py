"""Progress of long work, without the workers knowing who shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Show = Callable[[str, int, int], None]
"""show(description, done, total)"""
CHECKING, WRITING = "checking it beside the float model", "writing the bundle"
"""Phases that are no pass, as people read them."""


class Display(Protocol):
    """Whoever shows how far a command is."""

    def show(self, description: str, done: int, total: int) -> None:
        """How far one piece of work is."""

    def enter(self, phase: str, place: int, count: int) -> None:
        """What the command does from now on: phase number `place` of `count`; 0 where they aren't counted."""

    def expect(self, least: float, most: float, phases: Mapping[str, float]) -> None:
        """How many seconds the work that begins here is thought to take in all, and each phase of it."""


@dataclass(frozen=True)
class Shown:
    """A display of pieces of work alone."""

    show: Show

    def enter(self, phase: str, place: int, count: int) -> None:
        """Nothing."""

    def expect(self, least: float, most: float, phases: Mapping[str, float]) -> None:
        """Nothing."""


NONE: Mapping[str, float] = {}
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


def expect(least: float, most: float, phases: Mapping[str, float] = NONE) -> None:
    """Tells whoever listens how many seconds the work that begins here is thought to take. phases: each of
    those that will come, by the name that it is entered with, where that is known."""
    if display := _display.get():
        display.expect(least, most, phases)
