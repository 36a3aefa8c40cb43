"""Who calls the model is asked for the schedule; where nobody is known, that is said."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline, DDPMPipeline, DDPMScheduler

from dgqc.compiler.callers import Caller, KnownModel, caller_of
from dgqc.compiler.prepare import known_of
from dgqc.compiler.request import Request
from dgqc.frontends.schedulers import scheduler_config
from dgqc.frontends.schedules import schedule_for
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.schedule import ASSUMED, Schedule

Run = Callable[..., tuple[int, str, str]]


def bare(**options: Any) -> Caller:
    """Who calls a model that came alone."""
    unet = architectures.small()
    return caller_of(Request(unet, **options), KnownModel(unet), None)


def test_a_model_that_came_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dgqc"):
        caller = bare(steps=4)
    assert caller.schedule == schedule_for(None, 4)[1]
    assert caller.schedule.origin == ASSUMED
    assert "4 calls of DDIM with Stable Diffusion's betas are assumed; name its own" in caplog.text
    assert caller.drawings is None


def test_a_scheduler_is_named(caplog: pytest.LogCaptureFixture) -> None:
    named = bare(steps=4, scheduler="cmstochasticiterative")
    assert named.schedule.timesteps[-1] < 0
    assert named.schedule.origin == "asked of CMStochasticIterativeScheduler"
    assert bare(steps=4, scheduler=CMStochasticIterativeScheduler()).schedule == named.schedule
    listed = bare(scheduler="ddpm", timesteps=(999.0, 500.0, 3.0))
    assert listed.schedule.timesteps == (999.0, 500.0, 3.0)
    assert bare(steps=3, scheduler="flowmatcheuler").schedule.timesteps[0] == 1000
    assert bare(steps=3, scheduler="edmeuler").schedule.timesteps[-1] < 0
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timesteps": (999.0, 500.0)}, "but not how noise falls between the calls; name a scheduler"),
        ({"scheduler": "ddim", "timesteps": (999.0, 500.0)}, "takes no timesteps of one's own"),
        ({"scheduler": "repaint", "steps": 3}, "A RePaintScheduler can't denoise from noise"),
        ({"scheduler": "karrasve", "steps": 3}, "A KarrasVeScheduler can't denoise from noise"),
        ({"scheduler": "scoresdeve", "steps": 3}, "has no step, so .* the whole pipeline"),
        ({"scheduler": "eulerancestral{prediction_type=sample}", "steps": 3}, "can't denoise from noise"),
        ({"scheduler": "lcm", "steps": 300}, "LCMScheduler can't take 300 steps"),
        ({"steps": 3, "timesteps": (999.0, 500.0)}, "asks for 3 calls, and --timesteps lists 2"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        bare(**options)


def recorded(schedule: Schedule) -> Calibration:
    """Samples of the unconditional model."""

    def read(step: int) -> Iterator[Inputs]:
        yield {"sample": torch.zeros(1, 3, 8, 8)}

    return Calibration(schedule, read, False, "by hand")


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ({}, True),
        ({"steps": 4}, True),
        ({"scheduler": "ddpm", "steps": 4}, True),
        ({"scheduler": "ddpm"}, True),
        ({"timesteps": (750.0, 500.0, 250.0, 0.0)}, True),
        ({"steps": 5}, False),
        ({"scheduler": "euler"}, False),
        ({"scheduler": "ddpm{timestep_spacing=trailing}", "steps": 4}, False),
        ({"timesteps": (750.0, 500.0, 250.0, 1.0)}, False),
        ({"timesteps": (750.0, 500.0, 250.0)}, False),
    ],
)
def test_a_recording_of_another_schedule(options: dict[str, Any], right: bool) -> None:
    unet = architectures.small()
    have = schedule_for(scheduler_config("ddpm"), 4)[1]
    request = Request(unet, **options)
    if right:
        assert caller_of(request, KnownModel(unet), recorded(have)).schedule is have
        return
    with pytest.raises(
        DgqcError, match=r"recorded with DDPMScheduler at 4 calls, 750 to 0, but .* record it"
    ):
        caller_of(request, KnownModel(unet), recorded(have))


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class-conditional consistency model's pipeline."""
    folder = tmp_path_factory.mktemp("classes") / "pipeline"
    ConsistencyModelPipeline(
        architectures.class_conditional(), CMStochasticIterativeScheduler()
    ).save_pretrained(folder)
    return folder


def test_a_pipeline_draws_its_own_samples(classes: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = known_of(Request(classes))
    caller = caller_of(Request(classes, steps=3), known, None)
    samples = caller.samples(known.model, 4, 4, 0)
    assert (samples.synthetic, samples.origin) == (
        False,
        "4 pictures of classes by ConsistencyModelPipeline, seed 0",
    )
    (batch,) = samples.read(0)
    assert len(set(batch["class_labels"].tolist())) == 4
    assert batch["sample"].std() > 0.9
    assert not caplog.records
    named = caller_of(Request(classes, steps=3, scheduler="edmeuler"), known, None)
    assert named.schedule.scheduler == "EDMEulerScheduler"
    assert named.drawings is not None


def test_a_pipeline_in_python_is_asked_and_left_alone(classes: Path) -> None:
    pipeline = ConsistencyModelPipeline.from_pretrained(classes)
    pipeline.scheduler.set_timesteps(7)
    caller = caller_of(Request(pipeline, steps=3, scheduler="edmeuler"), known_of(Request(pipeline)), None)
    assert caller.schedule.scheduler == "EDMEulerScheduler"
    assert caller.schedule.origin == "asked of ConsistencyModelPipeline"
    assert len(pipeline.scheduler.timesteps) == 7
    assert type(pipeline.scheduler) is CMStochasticIterativeScheduler
    own = caller_of(Request(pipeline, steps=3), known_of(Request(pipeline)), None)
    assert own.schedule.timesteps[-1] < 0
    own.samples(pipeline.unet, 1, 1, 0).read(0)
    assert len(pipeline.scheduler.timesteps) == 7


def test_a_pipeline_that_can_t_draw(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its UNet wants classes, which it doesn't know: its scheduler is asked, and classes are drawn."""
    DDPMPipeline(architectures.class_conditional(), DDPMScheduler()).save_pretrained(tmp_path / "pipeline")
    known = known_of(Request(tmp_path / "pipeline"))
    with caplog.at_level(logging.WARNING, "dgqc"):
        caller = caller_of(Request(tmp_path, steps=3), known, None)
    assert "calls its UNet without class_labels, which that takes. Samples are denoised by" in caplog.text
    assert caller.schedule.origin == "asked of DDPMScheduler"
    (batch,) = caller.samples(known.model, 4, 4, 0).read(0)
    assert len(set(batch["class_labels"].tolist())) == 4


def test_wrong_schedules_on_the_command_line(run: Run, model_folder: Path, tmp_path: Path) -> None:
    for options, message in (
        (("--timesteps", "999,x"), "--timesteps is '999,x', but it is numbers with commas"),
        (("--timesteps", "999,500"), "not how noise falls"),
        (("--scheduler", "dimm"), "closest is DDIMScheduler"),
        (("--scheduler", "ddpm", "--timesteps", "5,900"), "can't take these timesteps"),
    ):
        code, _, error = run("compile", model_folder, *options, "-o", tmp_path / "out")
        assert (code, len(error.splitlines())) == (2, 1)
        assert message in error
    assert not (tmp_path / "out").exists()


def test_calibrate_and_compile_a_class_conditional_pipeline(classes: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "c.safetensors"
    options = ("--steps", 3, "--samples", 2, "--json")
    code, out, _ = run("calibrate", classes, "-o", file, *options)
    assert (code, json.loads(out)["calls"]) == (0, 3)
    code, _, error = run("calibrate", classes, "-o", file, "--classes", "1,99", *options)
    assert (code, "no class 99" in error) == (2, True)
    code, _, error = run("calibrate", classes, "-o", file, "--classes", "one", *options)
    assert (code, "numbers with commas" in error) == (2, True)
    bundle = tmp_path / "out.dgqc"
    quick = "w8a8g1,rounding=nearest"
    code, _, _ = run("compile", classes, "-O", quick, "--calib", file, "-o", bundle, "--target", "c")
    assert code == 0
    code, out, _ = run("report", bundle, "--json")
    found = json.loads(out)
    assert found["schedule_origin"] == "recorded from ConsistencyModelPipeline"
    assert found["calibration"]["origin"] == "2 pictures of classes by ConsistencyModelPipeline"
