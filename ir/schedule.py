"""The list of UNet calls that a compiled program belongs to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from .errors import DgqcError


@dataclass(frozen=True)
class Schedule:
    """The timesteps of the UNet's calls, in the order a pipeline makes them.

    Tables are indexed by a call's step, its place in this list, never by arithmetic on the timestep: PNDM
    evaluates one timestep twice, and both calls have their own entry here.

    scheduler: class name of the diffusers scheduler, for messages and the manifest.
    timesteps: one number per UNet call (diffusers convention, usually 0 .. 999, descending).
    """

    scheduler: str
    timesteps: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.timesteps:
            raise DgqcError("A schedule needs at least one timestep, but the list is empty.")

    def __len__(self) -> int:
        return len(self.timesteps)

    def step_of(self, timestep: float, after: int = -1) -> int:
        """The step of the call with this timestep.

        after: the step of the previous call; where a timestep stands in the schedule more than once, its
            first entry after that one is meant, or its first entry when there is none later.
        Raises DgqcError when the timestep is not in the schedule.
        """
        found = [i for i, t in enumerate(self.timesteps) if abs(t - timestep) < 1e-3]
        if not found:
            raise DgqcError(
                f"Timestep {timestep:g} is not in the schedule this program was compiled for "
                f"({self.scheduler}, {len(self)} calls, {self.timesteps[0]:g} to {self.timesteps[-1]:g}); "
                "compile with this schedule, or allow the nearest step with --allow-nearest-step."
            )
        return next((i for i in found if i > after), found[0])

    def ordinal(self, timestep: float, after: int = -1) -> int:
        """`step_of` by its old name, which goes with the next release."""
        warnings.warn("Schedule.ordinal is now Schedule.step_of.", DeprecationWarning, stacklevel=2)
        return self.step_of(timestep, after)

    def nearest(self, timestep: float) -> int:
        """The step of the call whose timestep is nearest."""
        return min(range(len(self)), key=lambda i: abs(self.timesteps[i] - timestep))

    def to_json(self) -> dict[str, Any]:
        return {"scheduler": self.scheduler, "timesteps": list(self.timesteps)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Schedule:
        return Schedule(str(data["scheduler"]), tuple(float(t) for t in data["timesteps"]))
