"""A pipeline is asked for pictures, whatever its kind, and its own loop says what the schedule is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, HeunDiscreteScheduler
from torch import nn

from dgqc import recording
from dgqc.compiler.prepare import begin
from dgqc.compiler.request import Request
from dgqc.frontends import calibrate, load_calibration
from dgqc.frontends.calibrating.captions import everyday_captions, prompts_for
from dgqc.frontends.calibrating.drawings import Drawings
from dgqc.frontends.calibrating.pipeline_calls import Settings
from dgqc.frontends.loading.load import load_model
from dgqc.ir.errors import DgqcError, UnsupportedOperation

from . import tiny_pipelines
from .tiny_pipelines import CLASSES, PIPELINES

STEPS = 4


def called(pipeline: Any, **options: Any) -> list[float]:
    """The UNet's timesteps when the pipeline is run as its users run it, noted by a wrapped forward."""
    times: list[float] = []
    original = pipeline.unet.forward

    def forward(sample: torch.Tensor, timestep: Any, *arguments: Any, **keywords: Any) -> Any:
        times.append(float(torch.as_tensor(timestep).reshape(-1)[0]))
        return original(sample, timestep, *arguments, **keywords)

    pipeline.unet.forward = forward
    pipeline.set_progress_bar_config(disable=True)
    pipeline(num_inference_steps=STEPS, **{"output_type": "np", **options})
    del pipeline.unet.forward
    return times


@pytest.mark.parametrize("name", PIPELINES)
def test_the_schedule_is_what_the_pipeline_calls(name: str) -> None:
    pipeline = PIPELINES[name]()
    drawings = Drawings(pipeline, Settings(STEPS))
    schedule = drawings.rehearse().schedule
    assert "forward" not in vars(pipeline.unet)
    assert list(schedule.timesteps) == called(pipeline)
    assert schedule.scheduler == type(pipeline.scheduler).__name__
    assert schedule.origin == f"asked of {type(pipeline).__name__}"
    made = drawings.draw(schedule, samples=3, batch_size=2, seed=1, progress=None)
    again = drawings.draw(schedule, samples=3, batch_size=2, seed=1, progress=None)
    assert not made.synthetic
    for step in range(len(schedule)):
        batches = list(made.read(step))
        assert [len(batch["sample"]) for batch in batches] == [2, 1]
        for batch, same in zip(batches, again.read(step), strict=True):
            assert all(torch.equal(batch[key], same[key]) for key in batch)
    first, last = (torch.cat([batch["sample"] for batch in made.read(step)]) for step in (0, -1))
    assert not torch.equal(first, last)
    assert not torch.equal(first[0], first[1])


def test_two_calls_a_step_and_real_timesteps() -> None:
    """What the kinds of schedules look like: repeated, negative, noise levels."""

    def timesteps(name: str) -> tuple[float, ...]:
        return Drawings(PIPELINES[name](), Settings(STEPS)).rehearse().schedule.timesteps

    assert len(timesteps("pndm")) > len(set(timesteps("pndm")))
    assert min(timesteps("consistency")) < 0
    levels = timesteps("noise levels")
    assert levels[::2] == levels[1::2]
    assert levels[0] == pytest.approx(1348.0)


def test_classes_are_drawn_from_the_table() -> None:
    drawings = Drawings(PIPELINES["classes"](), Settings(STEPS))
    labels = [one.label for one in drawings.asked(CLASSES, 0)]
    assert sorted(labels) == list(range(CLASSES))
    made = drawings.draw(drawings.rehearse().schedule, 3, 2, 0, None)
    found = torch.cat([batch["class_labels"] for batch in made.read(0)])
    assert found.tolist() == [one.label for one in drawings.asked(3, 0)]
    named = Drawings(PIPELINES["classes"](), Settings(STEPS), labels=[5, 1])
    assert [one.label for one in named.asked(3, 0)] == [5, 1, 5]


def test_refusals() -> None:
    unconditional = PIPELINES["ddpm"]()
    with pytest.raises(DgqcError, match="takes no prompts"):
        Drawings(unconditional, Settings(STEPS), prompts=["a dog"])
    with pytest.raises(DgqcError, match="takes no classes"):
        Drawings(unconditional, Settings(STEPS), labels=[0])
    with pytest.raises(DgqcError, match="no class 7; the UNet has 7, 0 the first"):
        Drawings(PIPELINES["classes"](), Settings(STEPS), labels=[CLASSES])
    with pytest.raises(DgqcError, match="calls its UNet without class_labels"):
        Drawings(tiny_pipelines.without_classes(), Settings(STEPS)).rehearse()
    with pytest.raises(DgqcError, match="A DiTPipeline has no UNet"):
        Drawings(tiny_pipelines.without_unet(), Settings(STEPS))
    with pytest.raises(DgqcError, match="takes no guidance_scale"):
        Drawings(unconditional, Settings(STEPS, guidance_scale=3.0)).rehearse()
    with pytest.raises(DgqcError, match="takes no timesteps"):
        Drawings(unconditional, Settings(2, timesteps=(900.0, 300.0))).rehearse()
    with pytest.raises(DgqcError, match="0 steps make no schedule"):
        Settings(0)


def test_a_built_pipeline_changes_its_scheduler(pipeline_folder: Path, tmp_path: Path) -> None:
    """Stable Diffusion's makes steps_offset 1: the config alone leads to timesteps that are never called."""
    folder = shutil.copytree(pipeline_folder, tmp_path / "old")
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "steps_offset": 0, "clip_sample": True}))
    loaded = load_model(folder)
    assert loaded.scheduler is not None
    assert loaded.scheduler["steps_offset"] == 1
    assert not loaded.scheduler["clip_sample"]
    pipeline = _text_pipeline(folder)
    schedule = Drawings(pipeline, Settings(STEPS)).rehearse().schedule
    assert (
        list(schedule.timesteps)
        == called(pipeline, prompt="a red circle", output_type="latent")
        == [751.0, 501.0, 251.0, 1.0]
    )


def _text_pipeline(folder: Path) -> Any:
    return DiffusionPipeline.from_pretrained(folder, vae=None, safety_checker=None, feature_extractor=None)


def test_a_tokenizer_of_few_words_gets_its_own(pipeline_folder: Path) -> None:
    tokenizer = _text_pipeline(pipeline_folder).tokenizer
    prompts = prompts_for(tokenizer, 20, 0)
    assert {word for prompt in prompts for word in prompt.split()} == {"a", "red", "blue", "square", "circle"}
    assert prompts == prompts_for(tokenizer, 20, 0) != prompts_for(tokenizer, 20, 1)


def test_everyday_captions() -> None:
    captions = everyday_captions()
    assert len(set(captions)) == len(captions) == 64
    assert all(5 < len(caption.split()) < 20 for caption in captions)
    found = prompts_for(None, 70, 3)
    assert sorted(found[:64]) == sorted(captions)
    assert found[64:] == found[:6]


def test_guidance_and_size_are_the_pipeline_s(pipeline_folder: Path) -> None:
    pipeline = _text_pipeline(pipeline_folder)
    guided = Drawings(pipeline, Settings(2, size=(16, 8))).rehearse()
    assert next(guided.read(0))["sample"].shape == (2, 4, 16, 8)
    alone = Drawings(pipeline, Settings(2, guidance_scale=1.0)).rehearse()
    assert next(alone.read(0))["sample"].shape == (1, 4, 8, 8)


@pytest.mark.parametrize(("name", "names"), [("ddpm", {"sample"}), ("classes", {"sample", "class_labels"})])
def test_calibrate_without_prompts(name: str, names: set[str], tmp_path: Path) -> None:
    folder = tmp_path / "pipeline"
    PIPELINES[name]().save_pretrained(folder)
    found = calibrate(folder, None, STEPS, tmp_path / "c.safetensors", samples=3, batch_size=2)
    assert next(load_calibration(tmp_path / "c.safetensors").read(0)).keys() == names
    assert [len(batch["sample"]) for batch in found.read(STEPS - 1)] == [2, 1]
    assert found.schedule.origin == f"recorded from {type(PIPELINES[name]()).__name__}"
    if name == "classes":
        assert found.origin == "3 pictures of classes by ConsistencyModelPipeline"
        calibrate(folder, None, STEPS, tmp_path / "c.safetensors", labels=[6, 2])
        again = load_calibration(tmp_path / "c.safetensors")
        assert [int(batch["class_labels"]) for batch in again.read(0)] == [6, 2]


def test_a_pipeline_that_leaves_out_classes_is_calibrated_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No call of its own could be recorded; its scheduler denoises, of classes that are drawn."""
    pipeline, file = tiny_pipelines.without_classes(), tmp_path / "c.safetensors"
    found = calibrate(pipeline, None, STEPS, file, samples=CLASSES, batch_size=4)
    assert "calls its UNet without class_labels, which that takes. Samples are denoised by" in caplog.text
    labels = torch.cat([batch["class_labels"] for batch in load_calibration(file).read(0)])
    assert sorted(labels.tolist()) == list(range(CLASSES))
    assert found.schedule.timesteps == (750.0, 500.0, 250.0, 0.0)
    assert found.schedule.origin == "asked of DDPMScheduler"
    assert not found.synthetic
    with pytest.raises(DgqcError, match="recorded with DDPMScheduler at 4 calls, 750 to 0, but"):
        begin(Request(pipeline, calibration=file, steps=3))


def test_calibrate_brings_captions(pipeline_folder: Path, tmp_path: Path) -> None:
    found = calibrate(pipeline_folder, None, 2, tmp_path / "c.safetensors", samples=2)
    assert found.origin == "2 prompts of its words through StableDiffusionPipeline"
    assert [len(batch["sample"]) for batch in found.read(1)] == [2, 2]


class Loop(nn.Module):
    """A model that is called with noise levels, as flow matching's are."""

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return sample * timestep.reshape(-1, 1, 1, 1)


def test_a_loop_of_one_s_own_is_recorded() -> None:
    model, levels = Loop(), (1.0, 0.75, 0.25)
    with recording(model) as calls:
        for seed in range(2):
            calls.begin_picture()
            sample = torch.full((1, 3, 4, 4), float(seed))
            for level in levels:
                model(sample, torch.tensor([level]))
    found = calls.calibration("my loop")
    assert found.schedule.timesteps == levels
    assert [float(batch["sample"].mean()) for batch in found.read(2)] == [0.0, 1.0]
    assert not model._forward_pre_hooks
    with recording(model) as nothing, pytest.raises(DgqcError, match="not called at all"):
        nothing.calibration("my loop")
    with recording(model) as mixed, pytest.raises(UnsupportedOperation, match="2 timesteps at once"):
        model(torch.zeros(2, 3, 4, 4), torch.tensor([1.0, 0.5]))
    assert not mixed.batches[0]


def test_a_schedule_that_changes_is_refused() -> None:
    model = Loop()
    with recording(model) as calls:
        for levels in ((1.0, 0.5), (1.0, 0.25)):
            calls.begin_picture()
            for level in levels:
                model(torch.zeros(1, 3, 4, 4), torch.tensor([level]))
    with pytest.raises(DgqcError, match="other timesteps for later pictures"):
        calls.calibration("my loop")


def test_second_order_schedulers_in_a_pipeline(pipeline_folder: Path) -> None:
    pipeline = _text_pipeline(pipeline_folder)
    pipeline.scheduler = HeunDiscreteScheduler.from_config(DDIMScheduler().config)
    drawings = Drawings(pipeline, Settings(3))
    schedule = drawings.rehearse().schedule
    assert len(schedule) == 5
    assert schedule.timesteps[1] == schedule.timesteps[2]
    assert drawings.draw(schedule, 1, 1, 0, None).schedule == schedule


def test_latents_are_drawn_once(pipeline_folder: Path) -> None:
    """Of the same seed and settings; others are drawn."""
    shared: dict[Any, torch.Tensor] = {}

    def guided_pipeline() -> Any:
        return DiffusionPipeline.from_pretrained(
            pipeline_folder, vae=None, safety_checker=None, feature_extractor=None
        )

    first = Drawings(guided_pipeline(), Settings(STEPS), drawn=shared)
    first.record(2, 2, 5, None, STEPS)
    assert len(shared) == 2
    alone = Drawings(guided_pipeline(), Settings(STEPS)).latents(2, 2, 5)
    again = Drawings(guided_pipeline(), Settings(STEPS), drawn=shared)
    times: list[Any] = []
    again.pipeline.unet.register_forward_pre_hook(lambda *_: times.append(None))
    assert torch.equal(again.latents(2, 2, 5), alone)
    assert not times
    more = again.latents(3, 1, 5)
    assert len(times) == STEPS
    assert torch.equal(more[:2], alone)
    other = replace(again, settings=Settings(STEPS + 1)).latents(1, 1, 5)
    assert not torch.equal(other, alone[:1])
