"""Which call of a schedule a timestep means."""

from __future__ import annotations

import pytest

from dgqc.ir.errors import DgqcError
from dgqc.ir.schedule import Schedule


def test_timesteps_that_stand_twice() -> None:
    schedule = Schedule("PNDMScheduler", (900, 700, 700, 500))
    assert schedule.steps_at(700) == (1, 2)
    assert schedule.steps_at(600) == ()
    assert (schedule.step_of(700), schedule.step_of(700, after=1), schedule.step_of(700, after=2)) == (
        1,
        2,
        1,
    )
    assert schedule.only_step_of(500) == 3
    with pytest.raises(DgqcError, match=r"at steps 1 and 2, whose tables differ; say which with step=1"):
        schedule.only_step_of(700)
    with pytest.raises(DgqcError, match="not in the schedule"):
        schedule.only_step_of(600)


def test_noise_levels_lie_close_together() -> None:
    """A thousandth is much where timesteps are noise levels, and nothing where they are 999 to 0."""
    levels = Schedule("ScoreSdeVeScheduler", (1.0, 0.0104, 0.0102, 0.01))
    assert levels.steps_at(0.0102) == (2,)
    assert levels.steps_at(0.01021) == (2,)
    assert levels.steps_at(0.0103) == ()
    assert Schedule("DDIMScheduler", (999, 499)).steps_at(499.0005) == (1,)
    assert Schedule("DDIMScheduler", (999,)).steps_at(999.0005) == (0,)


def test_negative_timesteps() -> None:
    schedule = Schedule("CMStochasticIterativeScheduler", (1095.5, 705.5, -1553.7))
    assert schedule.only_step_of(-1553.7) == 2
    assert schedule.nearest(-2000) == 2


def test_origin_is_kept_and_does_not_tell_schedules_apart() -> None:
    said = Schedule("DDIMScheduler", (3.0, 1.0), "assumed")
    assert said == Schedule("DDIMScheduler", (3.0, 1.0))
    assert Schedule.from_json(said.to_json()).origin == "assumed"
    assert "origin" not in Schedule("DDIMScheduler", (3.0, 1.0)).to_json()


@pytest.mark.parametrize("timesteps", [(), (1.0, float("nan")), (float("inf"),)])
def test_refusals(timesteps: tuple[float, ...]) -> None:
    with pytest.raises(DgqcError, match="A schedule"):
        Schedule("DDIMScheduler", timesteps)
