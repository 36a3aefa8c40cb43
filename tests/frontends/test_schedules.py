"""A schedule is the list of UNet calls, in order."""

from __future__ import annotations

import math
from typing import Any

import pytest
from diffusers import EulerDiscreteScheduler, HeunDiscreteScheduler, PNDMScheduler

from dgqc.frontends import schedule_for
from dgqc.ir.errors import DgqcError


def test_default_is_ddim() -> None:
    scheduler, schedule = schedule_for(None, 25)
    assert schedule.scheduler == "DDIMScheduler"
    assert len(schedule) == 25
    assert schedule.timesteps[0] == 961.0
    assert schedule.timesteps[-1] == 1.0
    assert scheduler.config["beta_start"] == 0.00085


def test_pndm_evaluates_one_timestep_twice() -> None:
    _, schedule = schedule_for(config_of(PNDMScheduler(skip_prk_steps=True, steps_offset=1)), 10)
    assert len(schedule) == 11
    assert schedule.timesteps[1] == schedule.timesteps[2]
    assert schedule.step_of(schedule.timesteps[1]) == 1
    assert schedule.step_of(schedule.timesteps[1], after=1) == 2


def test_second_order_schedulers_call_twice() -> None:
    _, schedule = schedule_for(config_of(HeunDiscreteScheduler()), 5)
    assert len(schedule) == 9


def test_fractional_timesteps() -> None:
    _, schedule = schedule_for(config_of(EulerDiscreteScheduler(timestep_spacing="linspace")), 7)
    assert schedule.timesteps[1] == pytest.approx(832.5)


def config_of(scheduler: Any) -> dict[str, Any]:
    """A scheduler's configuration as it is saved."""
    return {**scheduler.config, "_class_name": type(scheduler).__name__}


@pytest.mark.parametrize(
    ("config", "steps", "message"),
    [
        (None, 0, "0 steps"),
        (None, 5000, "DDIMScheduler can't take 5000 steps"),
        ({"_class_name": "MyScheduler"}, 5, "MyScheduler, which is no scheduler"),
        ({"_class_name": "UNet2DModel"}, 5, "UNet2DModel, which is no scheduler"),
        ({}, 5, "the class nothing"),
        ({"_class_name": ["DDIMScheduler"]}, 5, "the class nothing"),
        ({"_class_name": "ScoreSdeVeScheduler"}, 5, "has no step, so .* or the whole pipeline"),
        ({"_class_name": "DDIMScheduler", "num_train_timesteps": 10**12}, 5, "is out of range"),
        ({"_class_name": "DDIMScheduler", "beta_start": "x"}, 5, "beta_start: is 'x', where a number"),
        ({"_class_name": "DDIMScheduler", "clip_sample": 1}, 5, "clip_sample: is 1, where true or false"),
        ({"_class_name": "DDIMScheduler", "prediction_type": [None, [3]]}, 5, "is 3, where a text belongs"),
        ({"_class_name": "DDIMScheduler", "beta_start": -math.inf}, 5, "is -inf, which is out of range"),
        ({"_class_name": "DDIMScheduler", "trained_betas": [0.1, {}]}, 5, "is {}, where"),
        (None, 10**9, "1000000000 steps make no schedule"),
        ({"_class_name": "DDIMScheduler", "beta_schedule": "odd"}, 5, "can't build a DDIMScheduler"),
    ],
)
def test_refusals(config: dict[str, Any] | None, steps: int, message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        schedule_for(config, steps)
