"""Which call of its picture a pipeline is at: one that names its timestep alone may mean several."""

from __future__ import annotations

import logging
import threading
from typing import Any

from ..ir.schedule import Schedule

log = logging.getLogger("dgqc")


class PictureSteps(threading.local):
    """Counts a picture's calls. Each thread draws pictures of its own, so each has a count of its own.

    last: the step of the previous call; None before a picture's first.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self._told = False

    def begin(self) -> None:
        """The next call is a picture's first."""
        self.last = None

    def step_of(self, schedule: Schedule, timestep: float) -> int | None:
        """The step of a call that comes after the ones before; None where it is none of the schedule's.

        Where a timestep stands in the schedule more than once, the call that follows the previous one is
        meant, or the schedule's first. Where it is neither, the first with this timestep is taken, and a
        warning says so once.
        """
        found = schedule.steps_at(timestep)
        if not found:
            return None
        following = 0 if self.last is None else self.last + 1
        if following not in found:
            following = 0 if 0 in found else found[0]
            if len(found) > 1 and following:
                self._tell(timestep, found)
        self.last = following
        return following

    def _tell(self, timestep: float, found: tuple[int, ...]) -> None:
        if not self._told:
            log.warning(
                "Timestep %g stands in the schedule at steps %s, and this call follows none of the steps "
                "before; step %d is taken. Name the step of each call, or call begin_picture() before each "
                "picture. Said once.",
                timestep,
                " and ".join(str(step) for step in found),
                found[0],
            )
        self._told = True

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy draws pictures of its own.
        return PictureSteps, ()
