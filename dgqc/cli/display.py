"""How far a command is: one display for all of it, bars on a terminal and lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
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
LONG = 60.0
"""Seconds that a command is thought to take, from which on a log is told how far the whole of it is."""
EARLY = 0.1
"""Of the whole: so much must be done until what it took counts as much as what was thought."""


def say(text: str) -> None:
    """One line for the user, on stderr, so that stdout holds results only."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class _Command:
    """What is known of a command as a whole."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.phase = self.name = ""
        self.expected: tuple[float, float] | None = None
        self.since = self.started
        self.ahead: dict[str, float] = {}
        self.total = self.ended = self.within = 0.0
        self.tenth = 0

    def enter(self, phase: str, place: int, count: int) -> None:
        # What comes twice counts the first time.
        self.ended += self.ahead.pop(self.name, 0.0)
        self.name, self.within = phase, 0.0
        self.phase = f"{phase} ({place} of {count})" if count else phase

    def expect(self, least: float, most: float, phases: Mapping[str, float]) -> None:
        self.expected, self.since = (least, most), time.monotonic()
        self.ahead, self.total, self.ended, self.tenth = dict(phases), sum(phases.values()), 0.0, 0

    def show(self, description: str, done: int, total: int) -> None:
        self.within = done / max(total, 1)

    def share(self) -> float:
        """How much of the whole is done, 0 to 1, by what each phase is thought to take."""
        done = self.ended + self.within * self.ahead.get(self.name, 0.0)
        return done / self.total if self.total else 0.0

    def left(self, passed: float) -> tuple[float, float]:
        """Seconds, least and most, so many after they were foreseen: what comes takes as much longer or
        less long than was thought as what has been."""
        assert self.expected is not None
        least, most = self.expected
        if not self.total:
            return least - passed, most - passed
        pace = (passed / self.total + EARLY) / (self.share() + EARLY)
        rest = (1 - self.share()) * pace
        return rest * least, rest * most

    def line(self) -> str:
        """`observe-ranges (8 of 21) - 0:42, 1 to 4 minutes left - 1.2 GB`"""
        now = time.monotonic()
        parts = [self.phase, clock(now - self.started)]
        if self.expected is not None:
            least, most = self.left(now - self.since)
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
    """On a terminal: a line and a bar for the command, and under them a bar for each piece of work."""

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        super().__init__()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())

        class Whole(Progress):
            """With the command's line and bar on top, made anew whenever it is drawn."""

            def get_renderables(bars):  # type: ignore[no-untyped-def]  # noqa: N805
                from rich.padding import Padding
                from rich.progress_bar import ProgressBar
                from rich.text import Text

                yield Text(self.line(), no_wrap=True, overflow="ellipsis")
                if self.total:
                    # A bar alone doesn't end its line.
                    yield Padding(ProgressBar(total=1.0, completed=self.share()), 0)
                yield from super().get_renderables()

        self.bars: Progress = Whole(*columns, console=console, transient=True)
        self.tasks: dict[str, TaskID] = {}

    def show(self, description: str, done: int, total: int) -> None:
        super().show(description, done, total)
        if description not in self.tasks:
            self.tasks[description] = self.bars.add_task(description, total=total)
        self.bars.update(self.tasks[description], completed=done, total=total)
        if done >= total:
            self.bars.remove_task(self.tasks.pop(description))


class LogLines(_Command):
    """In a log: a line for each tenth of a piece of work, and for its first step, with what remains; but one
    a second at most. And one for each tenth of a long command."""

    def __init__(self) -> None:
        super().__init__()
        self.last: tuple[str, int] | None = None
        self.said = -APART
        self.begun: dict[str, float] = {}

    def enter(self, phase: str, place: int, count: int) -> None:
        super().enter(phase, place, count)
        self.tell()

    def tell(self) -> None:
        """The command's line, where another tenth of it is done."""
        if self.total >= LONG and (tenth := int(PLAIN_STEPS * self.share())) > self.tenth:
            self.tenth = tenth
            say(f"{tenth * 100 // PLAIN_STEPS} %: {self.line()}")

    def show(self, description: str, done: int, total: int) -> None:
        super().show(description, done, total)
        self.tell()
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
