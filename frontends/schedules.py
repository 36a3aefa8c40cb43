"""Which timesteps a pipeline calls its UNet at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import diffusers
from diffusers import SchedulerMixin

from ..ir.errors import DgqcError, one_line
from ..ir.reading import explained
from ..ir.schedule import Schedule

STABLE_DIFFUSION: Mapping[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
"""The noise schedule that Stable Diffusion was trained on."""


NEEDED = ("set_timesteps", "scale_model_input", "step")
"""Methods of a scheduler that a pipeline around a UNet calls; those for flow matching lack the second."""
LARGEST_NUMBER = 1_000_000
"""Of a config; num_train_timesteps is the largest, and a thousand."""
MOST_STEPS = 100_000


def schedule_for(config: Mapping[str, Any] | None, steps: int) -> tuple[Any, Schedule]:
    """A diffusers scheduler, set to `steps`, and the UNet calls it asks for in order.

    config: a pipeline's scheduler_config.json; None stands for DDIM with Stable Diffusion's betas.
    steps: what a pipeline calls `num_inference_steps`. The number of calls may differ: PNDM evaluates one
        timestep twice, second-order schedulers evaluate nearly every one twice.
    Raises DgqcError for a scheduler that diffusers does not have, and for a number of steps it can't take.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise DgqcError(f"{steps} steps make no schedule; give 1 to {MOST_STEPS}.")
    scheduler = _build({"_class_name": "DDIMScheduler", **STABLE_DIFFUSION} if config is None else config)
    name = type(scheduler).__name__
    # Diffusers' schedulers raise whatever an odd number of steps leads to.
    with explained(f"{name} can't take {steps} steps", "give another number or another scheduler"):
        scheduler.set_timesteps(steps)
        timesteps = tuple(float(step) for step in scheduler.timesteps)
    if not all(math.isfinite(step) for step in timesteps):
        raise DgqcError(f"{name} makes timesteps of {steps} steps that are not finite; give another number.")
    return scheduler, Schedule(name, timesteps)


def _build(config: Mapping[str, Any]) -> Any:
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
            "the pipeline a scheduler such as DDIMScheduler."
        )
    for key, value in config.items():
        if isinstance(value, int | float) and abs(value) > LARGEST_NUMBER:
            raise DgqcError(f"The scheduler config has {key}={value}, which is out of range; give its own.")
    # Diffusers' constructors raise whatever a wrong value leads to.
    doing = f"diffusers can't build a {name} from the scheduler config"
    with explained(doing, "give the config that it was saved with"):
        chosen: Any = kind
        return chosen.from_config(dict(config))
