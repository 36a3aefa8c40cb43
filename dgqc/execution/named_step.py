"""The step that a call names, by its timestep or by itself."""

from __future__ import annotations

import torch

from ..ir.errors import DgqcError
from ..ir.schedule import ONE_CALL, Schedule


def one_timestep(timestep: torch.Tensor | float) -> float:
    """The timestep of a call. timestep: any shape. Raises DgqcError where it holds several."""
    times = set(torch.as_tensor(timestep, dtype=torch.float64).reshape(-1).tolist())
    if len(times) != 1:
        raise DgqcError(
            f"A call has one timestep, but it was given {len(times)}; call it once for each timestep."
        )
    return float(times.pop())


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
