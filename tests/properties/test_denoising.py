"""The integer denoising loop against diffusers' own schedulers in floating point."""

from __future__ import annotations

import inspect
import re
from typing import Any

import diffusers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.compiler.loop_tables import HELD, whole
from dgqc.frontends.samplers import sampler_for, sampler_of
from dgqc.frontends.schedules import schedule_for
from dgqc.ir.denoising import OUTPUT_LIMIT
from dgqc.ir.drawing import fixed_guidance
from dgqc.ir.errors import DgqcError
from dgqc.ir.sampler import NOISE, STATE
from dgqc.ir.schedule import Schedule

from .loops import SERVED, SHAPE, error_of, made, scheduler_of

LARGEST_ERROR = 1e-4
"""Of the state's range: a tenth of what a loop may be off by."""


@pytest.mark.parametrize("name", SERVED)
def test_a_trajectory_is_diffusers_own(name: str) -> None:
    assert error_of(name, 10, seed=0) < LARGEST_ERROR


@settings(max_examples=20)
@given(name=st.sampled_from(sorted(SERVED)), steps=st.integers(4, 30), seed=st.integers(0, 2**31))
def test_any_number_of_steps(name: str, steps: int, seed: int) -> None:
    assert error_of(name, steps, seed) < LARGEST_ERROR


@given(name=st.sampled_from(["DDIM", "EulerAncestralDiscrete", "UniPCMultistep"]), scale=st.floats(-2, 20))
def test_guidance(name: str, scale: float) -> None:
    assert error_of(name, 6, 0, guidance=fixed_guidance(scale)) < LARGEST_ERROR


@pytest.mark.parametrize("name", ["DDIM", "HeunDiscrete", "DPMSolverMultistep", "UniPCMultistep", "PNDM"])
def test_a_picture_that_begins_late(name: str) -> None:
    _, sampler, _ = made(name, 8)
    late = [start for start, begin in enumerate(sampler.starts) if begin is not None and start]
    assert len(late) >= 3
    for start in late[1::3]:
        assert error_of(name, 8, seed=1, start=start) < LARGEST_ERROR


def test_where_no_picture_can_begin() -> None:
    _, _, loop = made("HeunDiscrete", 8)
    noise = torch.zeros(SHAPE, dtype=torch.int16)
    with pytest.raises(DgqcError, match=r"No picture can begin with call 1; choose one of \[0, 2, 4"):
        loop.begin(noise, noise, 1)
    with pytest.raises(DgqcError, match="needs a latent to begin from"):
        loop.begin(noise, None, 2)


REFUSALS = (
    "is no scheduler of diffusers",
    "can't build a",
    "steps \\(",
    "so it does not denoise",
    "can't be asked for",
    "can't be followed",
    "is not a fixed sum",
    "which is no fixed sum",
    "but a loop clips",
)
"""How schedulers are refused."""


@pytest.mark.parametrize("name", [name for name in dir(diffusers) if name.endswith("Scheduler")])
def test_every_scheduler_is_served_or_refused(name: str) -> None:
    if not inspect.isclass(getattr(diffusers, name)):
        pytest.skip("no class")
    refusal = ""
    try:
        scheduler, schedule = schedule_for({"_class_name": name}, 5)
        assert len(sampler_of(scheduler)) == len(schedule)
    except DgqcError as refused:
        refusal = str(refused)
    assert not refusal or any(re.search(known, refusal) for known in REFUSALS), refusal
    promised = {served.partition(",")[0] for served in SERVED}
    assert not refusal or name.removesuffix("Scheduler") not in promised


def test_dynamic_thresholding_is_refused() -> None:
    scheduler, _ = scheduler_of("DDIM", 5, {"thresholding": True})
    with pytest.raises(DgqcError, match="can't threshold dynamically"):
        sampler_of(scheduler)


def test_a_step_that_is_no_sum_is_refused() -> None:
    scheduler, _ = scheduler_of("DDIM", 5)
    step = scheduler.step
    scheduler.step = lambda output, timestep, state, **options: (
        step(output, timestep, state, **options)[0] ** 2,
    )
    with pytest.raises(DgqcError, match="not a fixed sum"):
        sampler_of(scheduler)


@pytest.mark.parametrize("name", ["DDIM", "PNDM", "HeunDiscrete", "KDPM2Discrete"])
def test_the_scheduler_of_a_list_of_calls_is_found(name: str) -> None:
    """Also of one that a pipeline cut off, as it does for a picture that is changed."""
    config = {**SERVED[name], "_class_name": f"{name}Scheduler"}
    _, schedule = schedule_for(config, 10)
    assert len(sampler_for("own", config, schedule)) == len(schedule)
    late = Schedule(schedule.scheduler, schedule.timesteps[-6:])
    assert len(sampler_for("own", config, late)) == 6


def test_refuses_another_schedule_and_another_name() -> None:
    config: dict[str, Any] = {"_class_name": "DDIMScheduler"}
    _, schedule = schedule_for(config, 5)
    with pytest.raises(DgqcError, match="calls are not those"):
        sampler_for("ddim", config, Schedule("DDIMScheduler", (5.0, 900.0)))
    with pytest.raises(
        DgqcError, match="loop euler takes a EulerDiscreteScheduler, but the program is called"
    ):
        sampler_for("euler", config, schedule)


@pytest.mark.parametrize("name", ["DDIM, clipped", "UniPCMultistep", "PNDM"])
def test_extremes_saturate_and_never_wrap(name: str) -> None:
    """Sums of whatever terms can hold stay below 2^61."""
    _, _, loop = made(name, 7)
    held = [HELD[kind] for kind, depth in loop.depths.items() for _ in range(depth)]
    for table in (loop.next, loop.clean, loop.kept):
        for row in table.tolist():
            assert sum(abs(factor) * most for factor, most in zip(row, held, strict=True)) < 2**61
    assert int(loop.guided(torch.tensor([32767]), torch.tensor([-32768]), 2**31 - 1)) == OUTPUT_LIMIT


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8))
def test_whole_factors(reals: list[float]) -> None:
    factors, shift = whole(reals, [HELD[STATE]] + [HELD[NOISE]] * (len(reals) - 1))
    for factor, real in zip(factors, reals, strict=True):
        assert abs(factor * 2.0**-shift - real) <= 2.0**-shift
