"""The step that a call names, by its timestep or by itself."""

from __future__ import annotations

import logging
from numbers import Integral, Real

import torch

from ..ir.errors import DgqcError
from ..ir.schedule import ONE_CALL, Schedule


def one_timestep(timestep: torch.Tensor | float) -> float:
    """The timestep of a call. timestep: any shape. Raises DgqcError where it holds several."""
    if not isinstance(timestep, torch.Tensor | Real):
        raise DgqcError(f"A timestep is a number, but it was given as {timestep!r}.")
    times = set(torch.as_tensor(timestep, dtype=torch.float64).reshape(-1).tolist())
    if len(times) != 1:
        raise DgqcError(
            f"A call has one timestep, but it was given {len(times)}; call it once for each timestep."
        )
    return float(times.pop())


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
    if not isinstance(step, Integral):
        raise DgqcError(f"A step is a whole number, but it was given as {step!r}.")
    if not 0 <= step < len(schedule):
        raise DgqcError(f"There is no step {step} in a schedule of {len(schedule)} calls, 0 the first.")
    if timestep is not None and step not in schedule.steps_at(timestep):
        raise DgqcError(
            f"Step {step} of the schedule is at timestep {schedule.timesteps[step]:g}, but the call names "
            f"timestep {timestep:g}; name one of them."
        )
    return step
