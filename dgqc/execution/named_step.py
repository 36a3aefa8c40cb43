"""The step that a call names, by its timestep or by itself."""

from __future__ import annotations

import logging

import torch

from ..ir.errors import DgqcError
from ..ir.reading import explained
from ..ir.schedule import ONE_CALL, Schedule


def one_timestep(timestep: torch.Tensor | float) -> float:
    """The timestep of a call. timestep: any shape. Raises DgqcError where it holds several."""
    # On the device meta it has no values; others are complex.
    with explained("The timestep can't be told", "give one number"):
        given = timestep.reshape(-1).tolist() if isinstance(timestep, torch.Tensor) else [timestep]
        times = {float(one) for one in given}
    if len(times) != 1:
        raise DgqcError(
            f"A call has one timestep, but it was given {len(times)}; call it once for each timestep."
        )
    return times.pop()


log = logging.getLogger("dgqc")


class NamedSteps:
    """The steps that a program's calls name. Other schedules' timesteps are mapped to the nearest where that
    is allowed, and the first is told."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._told = False

    def step_of(self, timestep: float | None, step: int | None, allow_nearest: bool) -> int:
        """As `named_step`, or the nearest."""
        schedule = self._schedule
        if not allow_nearest or timestep is None or step is not None or schedule.steps_at(timestep):
            return named_step(schedule, timestep, step)
        nearest = schedule.nearest(timestep)
        if not self._told:
            log.warning(
                "Timestep %g is not in the compiled schedule; the nearest, %g, stands in for it and others.",
                timestep,
                schedule.timesteps[nearest],
            )
            self._told = True
        return nearest


def named_step(schedule: Schedule, timestep: float | None, step: int | None) -> int:
    """The step of a call that names one, or a timestep that only one call has, or both.

    Raises DgqcError where neither or something else is named, and where they are not the same call's.
    """
    if step is None:
        if timestep is None and schedule == ONE_CALL:
            return 0
        if timestep is None:
            raise DgqcError("A call needs its timestep, or its step in the schedule; name one of them.")
        return schedule.only_step_of(timestep)
    if not 0 <= step < len(schedule):
        raise DgqcError(f"There is no step {step} in a schedule of {len(schedule)} calls, 0 the first.")
    if timestep is not None and step not in schedule.steps_at(timestep):
        raise DgqcError(
            f"Step {step} of the schedule is at timestep {schedule.timesteps[step]:g}, but the call names "
            f"timestep {timestep:g}; name one of them."
        )
    return step
