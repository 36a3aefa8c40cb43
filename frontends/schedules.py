"""Which timesteps a pipeline calls its UNet at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers
from diffusers import SchedulerMixin

from ..ir.errors import DgqcError
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


def schedule_for(config: Mapping[str, Any] | None, steps: int) -> tuple[Any, Schedule]:
    """A diffusers scheduler, set to `steps`, and the UNet calls it asks for in order.

    config: a pipeline's scheduler_config.json; None stands for DDIM with Stable Diffusion's betas.
    steps: what a pipeline calls `num_inference_steps`. The number of calls may differ: PNDM evaluates one
        timestep twice, second-order schedulers evaluate nearly every one twice.
    Raises DgqcError for a scheduler that diffusers does not have, and for a number of steps it can't take.
    """
    if steps < 1:
        raise DgqcError(f"{steps} steps make no schedule; give at least 1.")
    scheduler = _build({"_class_name": "DDIMScheduler", **STABLE_DIFFUSION} if config is None else config)
    name = type(scheduler).__name__
    try:
        scheduler.set_timesteps(steps)
    except Exception as error:
        # Diffusers' schedulers raise whatever an odd number of steps leads to.
        reason = str(error).strip().splitlines()
        raise DgqcError(
            f"{name} can't take {steps} steps: {reason[0] if reason else type(error).__name__}."
        ) from error
    return scheduler, Schedule(name, tuple(float(step) for step in scheduler.timesteps))


def _build(config: Mapping[str, Any]) -> Any:
    name = str(config.get("_class_name", ""))
    kind: Any = getattr(diffusers, name, None) if name.isidentifier() else None
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise DgqcError(
            f"The scheduler config names the class {name or 'nothing'}, which is no scheduler of diffusers "
            f"{diffusers.__version__}; give a pipeline's scheduler_config.json."
        )
    try:
        chosen: Any = kind
        return chosen.from_config(dict(config))
    except Exception as error:
        # Diffusers' constructors raise whatever a wrong value leads to.
        reason = str(error).strip().splitlines()
        raise DgqcError(
            f"diffusers can't build a {name} from the scheduler config: "
            f"{reason[0] if reason else type(error).__name__}."
        ) from error
