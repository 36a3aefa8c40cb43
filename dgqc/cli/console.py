"""What people see: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..ir.progress import shown_by
from .loudness import is_quiet

LIBRARIES = ("diffusers", "transformers", "torch")
"""Whose advice is for people who call them themselves."""
PLAIN_STEPS = 10
"""So many lines tell a log file how far a long task is."""


def result(text: Any = "") -> None:
    """Prints a result, a rich table for instance, to stdout."""
    Console(highlight=False, soft_wrap=isinstance(text, str), markup=False).print(text)


def as_json(data: Any) -> None:
    """Prints a result for programs."""
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def say(text: str) -> None:
    """One line for the user, on stderr, so that stdout holds results only."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def progress() -> Iterator[None]:
    """Shows the progress of everything inside: bars on a terminal, plain lines otherwise, nothing with -q."""
    if is_quiet():
        yield
    elif sys.stderr.isatty():
        with _bars() as bars, shown_by(_Bars(bars).show):
            yield
    else:
        with shown_by(_Lines().show):
            yield


def quiet_libraries() -> None:
    """Sends dgqc's own messages to stderr as plain lines, and keeps the libraries' advice away."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("dgqc")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # Read when tqdm is imported: loading a pipeline would draw bars of its own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.ERROR)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self.bars = bars
        self.tasks: dict[str, TaskID] = {}

    def show(self, description: str, done: int, total: int) -> None:
        if description not in self.tasks:
            self.tasks[description] = self.bars.add_task(description, total=total)
        self.bars.update(self.tasks[description], completed=done, total=total)
        if done >= total:
            self.bars.remove_task(self.tasks.pop(description))


class _Lines:
    """A line for each tenth of a task, with an estimate of what remains."""

    def __init__(self) -> None:
        self.last: tuple[str, int] | None = None
        self.started: dict[str, float] = {}

    def show(self, description: str, done: int, total: int) -> None:
        tenth = PLAIN_STEPS * done // max(total, 1)
        if self.last != (description, tenth):
            self.last = (description, tenth)
            now = time.monotonic()
            if done == 0:
                self.started[description] = now  # a repair does everything again
            passed = now - self.started.setdefault(description, now)
            left = passed * (total - done) / done if done else 0.0
            say(f"{description}: {done}/{total}" + (f", about {left:.0f} s left" if left >= 1 else ""))
