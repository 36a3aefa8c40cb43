"""Which timesteps a scheduler calls its UNet at."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import diffusers
from diffusers import SchedulerMixin

from ..ir.errors import DgqcError, one_line
from ..ir.reading import explained
from ..ir.schedule import Schedule
from .loading.constructor_schema import check_config

STABLE_DIFFUSION: Mapping[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""The noise schedule that Stable Diffusion was trained on."""


NEEDED = ("set_timesteps", "step")
"""Methods of a scheduler that denoises; those that scale the model's input have a third."""
LARGEST_TIMESTEP = 1_000_000
MOST_STEPS = 100_000


def schedule_for(
    config: Mapping[str, Any] | None, steps: int, timesteps: Sequence[float] | None = None
) -> tuple[Any, Schedule]:
    """A diffusers scheduler, set to `steps`, and the UNet calls it asks for in order.

    config: a pipeline's scheduler_config.json; None stands for DDIM with Stable Diffusion's betas.
    steps: what a pipeline calls `num_inference_steps`. The number of calls may differ: PNDM evaluates one
        timestep twice, second-order schedulers evaluate nearly every one twice.
    timesteps: in the place of the scheduler's own, for schedulers that take some.
    Raises DgqcError for a scheduler that diffusers does not have, for a number of steps it can't take, and
    for timesteps that it does not keep to.
    """
    check_steps(steps)
    scheduler = scheduler_of(
        {"_class_name": "DDIMScheduler", **STABLE_DIFFUSION} if config is None else config
    )
    name = type(scheduler).__name__
    if timesteps is not None:
        return scheduler, _set(scheduler, timesteps)
    # Diffusers' schedulers raise whatever an odd number of steps leads to.
    with explained(f"{name} can't take {steps} steps", "give another number or another scheduler"):
        scheduler.set_timesteps(steps)
        found = tuple(float(step) for step in scheduler.timesteps)
    if not all(math.isfinite(step) for step in found):
        raise DgqcError(f"{name} makes timesteps of {steps} steps that are not finite; give another number.")
    return scheduler, Schedule(name, found)


def check_steps(steps: int) -> None:
    """Raises DgqcError for a number of steps that no scheduler takes."""
    if not 1 <= steps <= MOST_STEPS:
        raise DgqcError(f"{steps} steps make no schedule; give 1 to {MOST_STEPS}.")


def check_timesteps(timesteps: Sequence[float]) -> None:
    """Raises DgqcError for a list that no model is called at."""
    if not 1 <= len(timesteps) <= MOST_STEPS:
        raise DgqcError(f"{len(timesteps)} timesteps make no schedule; give 1 to {MOST_STEPS}.")
    for timestep in timesteps:
        if not math.isfinite(timestep) or abs(timestep) > LARGEST_TIMESTEP:
            raise DgqcError(
                f"A timestep is {timestep}, but they are finite numbers of at most {LARGEST_TIMESTEP}; give "
                "what the model is called with, in order."
            )


def _set(scheduler: Any, timesteps: Sequence[float]) -> Schedule:
    """The schedule of these timesteps, which the scheduler must take and keep to."""
    check_timesteps(timesteps)
    name = type(scheduler).__name__
    instead = "leave the list out, name another scheduler, or record samples at these timesteps"
    if "timesteps" not in inspect.signature(scheduler.set_timesteps).parameters:
        raise DgqcError(f"A {name} takes no timesteps of one's own; {instead}.")
    whole = all(float(one).is_integer() for one in timesteps)
    wanted = tuple(float(one) for one in timesteps)
    with explained(f"{name} can't take these timesteps", instead):
        scheduler.set_timesteps(timesteps=[int(one) for one in timesteps] if whole else list(timesteps))
        found = tuple(float(step) for step in scheduler.timesteps)
    if not all(math.isfinite(step) for step in found):
        raise DgqcError(f"{name} makes timesteps of this list that are not finite; {instead}.")
    made = Schedule(name, found)
    if len(found) != len(wanted) or any(i not in made.steps_at(one) for i, one in enumerate(wanted)):
        shown = ", ".join(f"{one:g}" for one in found[:3])
        raise DgqcError(
            f"A {name} makes {len(found)} calls of these {len(wanted)} timesteps, {shown} and so on; "
            f"{instead}."
        )
    return made


def scheduler_of(config: Mapping[str, Any]) -> Any:
    """A diffusers scheduler from its config with its class. Raises DgqcError as `schedule_for` does."""
    found = config.get("_class_name", "")
    name = found if isinstance(found, str) else ""
    kind: Any = getattr(diffusers, name, None) if name.isidentifier() else None
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise DgqcError(
            f"The scheduler config names the class {one_line(name, 100) or 'nothing'}, which is no scheduler "
            f"of diffusers {diffusers.__version__}; give a pipeline's scheduler_config.json."
        )
    if lacks := [needed for needed in NEEDED if not hasattr(kind, needed)]:
        raise DgqcError(
            f"A {name} has no {lacks[0]}, so it does not denoise with a UNet as this compiler knows it; give "
            "a scheduler such as DDIMScheduler, or the whole pipeline, whose own loop is asked then."
        )
    remedy = "give the config that it was saved with"
    check_config(kind, config, "The scheduler config", remedy)
    # Diffusers' constructors raise whatever a wrong value leads to.
    doing = f"diffusers can't build a {name} from the scheduler config"
    with explained(doing, remedy):
        chosen: Any = kind
        return chosen.from_config(dict(config))
