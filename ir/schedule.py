"""The list of UNet calls that a compiled program belongs to."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

from .errors import DgqcError

ASSUMED = "assumed, for the model came without a scheduler"
"""Origin of a schedule that nobody named."""
LARGEST_DIFFERENCE = 1e-3
"""Between a timestep and the schedule's, where those of other calls lie far enough apart."""


@dataclass(frozen=True)
class Schedule:
    """The timesteps of the UNet's calls, in the order a pipeline makes them.

    Tables are indexed by a call's step, its place in this list, never by arithmetic on the timestep: PNDM
    evaluates one timestep twice, and both calls have their own entry here.

    scheduler: class name of the diffusers scheduler, for messages and the manifest.
    timesteps: one number per UNet call, whatever the model is told: often 999 to 0, but also logarithms of
        noise levels, which can be negative, or noise levels themselves. Finite.
    origin: who said so, for the report; "" where nobody asked.
    """

    scheduler: str
    timesteps: tuple[float, ...]
    origin: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.timesteps:
            raise DgqcError("A schedule needs at least one timestep, but the list is empty.")
        for timestep in self.timesteps:
            if not math.isfinite(timestep):
                raise DgqcError(f"A schedule's timesteps are finite numbers, but one is {timestep}.")

    def __len__(self) -> int:
        return len(self.timesteps)

    @cached_property
    def _tolerance(self) -> float:
        """Timesteps that differ by less are the same: those of a noise level can lie close together."""
        distinct = sorted(set(self.timesteps))
        gaps = [after - before for before, after in pairwise(distinct)]
        return min(LARGEST_DIFFERENCE, *(gap / 4 for gap in gaps)) if gaps else LARGEST_DIFFERENCE

    def steps_at(self, timestep: float) -> tuple[int, ...]:
        """The steps of all calls with this timestep; empty where it is not in the schedule."""
        return tuple(i for i, t in enumerate(self.timesteps) if abs(t - timestep) <= self._tolerance)

    def step_of(self, timestep: float, after: int = -1) -> int:
        """The step of the call with this timestep.

        after: the step of the previous call; where a timestep stands in the schedule more than once, its
            first entry after that one is meant, or its first entry when there is none later.
        Raises DgqcError when the timestep is not in the schedule.
        """
        found = self.steps_at(timestep)
        if not found:
            raise DgqcError(
                f"Timestep {timestep:g} is not in the schedule this program was compiled for "
                f"({self.scheduler}, {len(self)} calls, {self.timesteps[0]:g} to {self.timesteps[-1]:g}); "
                "compile with this schedule, or allow the nearest step with --allow-nearest-step."
            )
        return next((i for i in found if i > after), found[0])

    def only_step_of(self, timestep: float) -> int:
        """The step of the only call with this timestep.

        Raises DgqcError when the timestep is not in the schedule, or stands there more than once.
        """
        first, found = self.step_of(timestep), self.steps_at(timestep)
        if len(found) > 1:
            raise DgqcError(
                f"Timestep {timestep:g} stands in the schedule of {self.scheduler} at steps "
                f"{' and '.join(str(step) for step in found)}, whose tables differ; say which with "
                f"step={first} (--step {first})."
            )
        return first

    def ordinal(self, timestep: float, after: int = -1) -> int:
        """`step_of` by its old name, which goes with the next release."""
        warnings.warn("Schedule.ordinal is now Schedule.step_of.", DeprecationWarning, stacklevel=2)
        return self.step_of(timestep, after)

    def nearest(self, timestep: float) -> int:
        """The step of the call whose timestep is nearest."""
        return min(range(len(self)), key=lambda i: abs(self.timesteps[i] - timestep))

    def to_json(self) -> dict[str, Any]:
        said = {"origin": self.origin} if self.origin else {}
        return {"scheduler": self.scheduler, "timesteps": list(self.timesteps), **said}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Schedule:
        timesteps = tuple(float(t) for t in data["timesteps"])
        return Schedule(str(data["scheduler"]), timesteps, str(data.get("origin", "")))


ONE_CALL = Schedule("one call", (0.0,))
"""Of a program without timesteps."""
