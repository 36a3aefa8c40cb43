"""How far a command is: one display for all of it, bars on a terminal and lines in a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ..ir.peak_memory import peak_memory
from ..ir.spans import amount, duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PLAIN_STEPS = 10
"""So many lines tell a log file how far a long task is."""
APART = 1.0
"""Seconds between lines of a log, so that a small model's pieces of work don't fill it."""
WORTH = 5.0
"""Seconds that are left, from which on a log is told after a task's first step, and a command's end."""


def say(text: str) -> None:
    """One line for the user, on stderr, so that stdout holds results only."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class _Command:
    """What is known of a command as a whole."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.phase = ""
        self.expected: tuple[float, float] | None = None
        self.since = self.started

    def enter(self, phase: str, place: int, count: int) -> None:
        self.phase = f"{phase} ({place} of {count})" if count else phase

    def expect(self, least: float, most: float) -> None:
        self.expected, self.since = (least, most), time.monotonic()

    def line(self) -> str:
        """`observe-ranges (8 of 21) - 0:42, 1 to 4 minutes left - 1.2 GB`"""
        now = time.monotonic()
        parts = [self.phase, clock(now - self.started)]
        if self.expected is not None:
            least, most = (end - (now - self.since) for end in self.expected)
            # Beyond what was thought, nobody knows.
            parts[1] += (
                f", {duration(max(least, 0.0), most)} left" if most > 0 else ", longer than was thought"
            )
        if peak := peak_memory():
            parts.append(amount(peak))
        return " - ".join(filter(None, parts))

    def end(self) -> str | None:
        """What is said when all is done; nothing where nobody was told that it takes long."""
        if self.expected is None:
            return None
        return (
            f"It took {clock(time.monotonic() - self.started)} and {amount(peak_memory())} of memory at most."
        )


class Bars(_Command):
    """On a terminal: a line for the command, and under it a bar for each piece of work that goes on."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())

        class Whole(Progress):
            """With the command's line on top, made anew whenever it is drawn."""

            def get_renderables(bars):  # type: ignore[no-untyped-def]  # noqa: N805
                from rich.text import Text

                yield Text(self.line(), no_wrap=True, overflow="ellipsis")
                yield from super().get_renderables()

        self.bars: Progress = Whole(*columns, console=console, transient=True)
        self.tasks: dict[str, TaskID] = {}

    def show(self, description: str, done: int, total: int) -> None:
        if description not in self.tasks:
            self.tasks[description] = self.bars.add_task(description, total=total)
        self.bars.update(self.tasks[description], completed=done, total=total)
        if done >= total:
            self.bars.remove_task(self.tasks.pop(description))


class LogLines(_Command):
    """In a log: a line for each tenth of a piece of work, and for its first step, with what remains; but one
    a second at most."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[str, int] | None = None
        self.said = -APART
        self.begun: dict[str, float] = {}

    def show(self, description: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == 0:
            self.begun[description] = now  # a repair does everything again
        passed = now - self.begun.setdefault(description, now)
        left = passed * (total - done) / done if done else 0.0
        tenth = PLAIN_STEPS * done // max(total, 1)
        due = self.last != (description, tenth) or (done == 1 and left >= WORTH)
        if due and now - self.said >= APART:
            self.last, self.said = (description, tenth), now
            say(f"{description}: {done}/{total}" + (f", about {left:.0f} s left" if left >= 1 else ""))


def clock(seconds: float) -> str:
    """`0:42`, `1:02:03`"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
