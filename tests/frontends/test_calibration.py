"""What is recorded is what the pipeline called its UNet with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, PNDMScheduler, StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import save_file

from dgqc.frontends import calibrate, load_calibration, schedule_for, synthesize
from dgqc.frontends.calibrating.synthesize import rehearse
from dgqc.frontends.loading.load import load_model
from dgqc.frontends.loading.model_inputs import model_inputs
from dgqc.ir.calibration import Calibration
from dgqc.ir.errors import DgqcError, UnsupportedOperation

from .conftest import TOKENS, tiny_unet

PROMPTS = ("a red circle", "a blue square", "a blue circle")
STEPS = 4


@pytest.fixture(scope="module")
def pipeline(pipeline_folder: Path) -> Any:
    loaded = DiffusionPipeline.from_pretrained(
        pipeline_folder, vae=None, safety_checker=None, feature_extractor=None
    )
    loaded.set_progress_bar_config(disable=True)
    return loaded


def spied(pipeline: Any, **options: Any) -> list[Mapping[str, torch.Tensor]]:
    """The UNet's inputs of a run, taken by other means: a wrapped forward."""
    calls: list[Mapping[str, torch.Tensor]] = []
    original = pipeline.unet.forward

    def forward(sample: torch.Tensor, timestep: torch.Tensor, **keywords: Any) -> Any:
        context = keywords["encoder_hidden_states"]
        calls.append(
            {"sample": sample.clone(), "encoder_hidden_states": context.clone(), "timestep": timestep}
        )
        return original(sample, timestep, **keywords)

    pipeline.unet.forward = forward
    try:
        pipeline(num_inference_steps=STEPS, output_type="latent", **options)
    finally:
        del pipeline.unet.forward
    return calls


def test_round_trip(pipeline: Any, pipeline_folder: Path, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    output = tmp_path / "deep" / "calibration.safetensors"
    recorded = calibrate(
        pipeline_folder,
        PROMPTS,
        STEPS,
        output,
        seed=5,
        batch_size=2,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert progress == [(done, 2 * STEPS) for done in range(1, 2 * STEPS + 1)]
    assert not recorded.synthetic
    assert recorded.versions["torch"] == torch.__version__
    expected = [
        spied(
            pipeline, prompt=list(PROMPTS[:2]), generator=[torch.Generator().manual_seed(s) for s in (5, 6)]
        ),
        spied(pipeline, prompt=[PROMPTS[2]], generator=[torch.Generator().manual_seed(7)]),
    ]
    assert recorded.schedule.timesteps == tuple(float(call["timestep"]) for call in expected[0])
    for found in (recorded, load_calibration(output)):
        for step in range(STEPS):
            batches = list(found.read(step))
            # Both halves of the guidance.
            assert [batch["sample"].shape for batch in batches] == [(4, 4, 8, 8), (2, 4, 8, 8)]
            for batch, calls in zip(batches, expected, strict=True):
                assert batch.keys() == {"sample", "encoder_hidden_states"}
                for name, value in batch.items():
                    torch.testing.assert_close(value, calls[step][name], rtol=0, atol=0)
                assert batch["encoder_hidden_states"].shape[1] == TOKENS
    with safe_open(output, "pt") as file:
        keys = set(file.keys())
    assert {"003/000/sample", "shared/000/encoder_hidden_states"} <= keys
    assert not any(key.startswith("0") and key.endswith("encoder_hidden_states") for key in keys)
    assert [path.name for path in output.parent.iterdir()] == [output.name]


def test_batches_do_not_change_what_is_recorded(pipeline: Any, tmp_path: Path) -> None:
    def samples(calibration: Calibration) -> torch.Tensor:
        calls = [torch.cat([batch["sample"] for batch in calibration.read(t)]) for t in range(2)]
        return torch.stack(calls).sum(dim=(2, 3, 4)).sort(dim=1).values

    one = calibrate(pipeline, PROMPTS, 2, tmp_path / "one.safetensors", batch_size=1)
    three = calibrate(pipeline, PROMPTS, 2, tmp_path / "three.safetensors", batch_size=3)
    torch.testing.assert_close(samples(one), samples(three), rtol=1e-4, atol=1e-3)


def test_without_guidance_and_with_pndm(pipeline: Any, tmp_path: Path) -> None:
    parts = {**pipeline.components, "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1)}
    own = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    found = calibrate(own, PROMPTS[:1], STEPS, tmp_path / "c.safetensors", guidance_scale=1.0)
    _, schedule = schedule_for({**own.scheduler.config, "_class_name": "PNDMScheduler"}, STEPS)
    assert found.schedule == schedule
    assert len(found.schedule) == STEPS + 1
    assert found.schedule.timesteps[1] == found.schedule.timesteps[2]
    twice = [next(iter(found.read(step)))["sample"] for step in (1, 2)]
    assert twice[0].shape[0] == 1
    assert not torch.equal(*twice)
    assert not own.unet._forward_pre_hooks


def _with_scale(module: Any, arguments: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """As pipelines call their UNet that pad prompts of any length."""
    return arguments, {**keywords, "cross_attention_kwargs": {"scale": 0.5}}


def test_calibrate_refusals(pipeline: Any, pipeline_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "c.safetensors"
    with pytest.raises(DgqcError, match="no prompts"):
        calibrate(pipeline, [], STEPS, output)
    with pytest.raises(DgqcError, match=r"no model_index\.json"):
        calibrate(tmp_path, PROMPTS, STEPS, output)
    with pytest.raises(DgqcError, match="0 steps"):
        calibrate(pipeline, PROMPTS, 0, output)
    hook = pipeline.unet.register_forward_pre_hook(_with_scale, with_kwargs=True)
    with pytest.raises(UnsupportedOperation, match=r"cross_attention_kwargs\.scale"):
        calibrate(pipeline, PROMPTS, STEPS, output)
    hook.remove()
    assert not output.exists()
    index = json.loads((pipeline_folder / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps({**index, "unet": ["my_code", "UNet"]}))
    with pytest.raises(DgqcError, match="code of its own"):
        calibrate(tmp_path, PROMPTS, STEPS, output)


def test_damaged_files_are_refused(pipeline: Any, tmp_path: Path) -> None:
    file = tmp_path / "c.safetensors"
    calibrate(pipeline, PROMPTS[:1], STEPS, file)
    whole = file.read_bytes()
    with safe_open(file, "pt") as opened:
        # Cloned: the file that they are mapped from is about to be overwritten.
        tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
        metadata = json.loads(opened.metadata()["dgqc_calibration"])

    def check(message: str, changed: Mapping[str, torch.Tensor], **new: Any) -> None:
        save_file(dict(changed), file, metadata={"dgqc_calibration": json.dumps({**metadata, **new})})
        with pytest.raises(DgqcError, match=message):
            load_calibration(file)

    with pytest.raises(DgqcError, match="does not exist"):
        load_calibration(tmp_path / "none")
    for kept in (0, 4, len(whole) // 2):
        file.write_bytes(whole[:kept])
        with pytest.raises(DgqcError, match="not a complete safetensors file"):
            load_calibration(file)
    save_file(tensors, file)
    with pytest.raises(DgqcError, match="without a calibration"):
        load_calibration(file)
    check("format 99", tensors, format=99)
    check("damaged", tensors, schedule=3)
    check("damaged", tensors, format="one")
    check("nothing for call 2", {k: v for k, v in tensors.items() if not k.startswith("002")})
    check("no input", {**tensors, "000/000/mask": torch.zeros(1)})
    check("no input", {**tensors, "009/000/sample": torch.zeros(1, 4, 8, 8)})
    check("can't have", {**tensors, "000/000/sample": torch.zeros(8, 8)})
    check("no batch", {**tensors, "000/000/sample": torch.zeros(3, 4, 8, 8)})
    check("no input", {**tensors, "\u00b2/000/sample": torch.zeros(1, 4, 8, 8)})
    check("can't have", {**tensors, "000/000/sample": torch.zeros(0, 4, 8, 8)})
    check("of type BOOL", {**tensors, "000/000/sample": torch.zeros(1, 4, 8, 8) > 0})
    check("schedule.timesteps", tensors, schedule={"scheduler": "DDIMScheduler", "timesteps": []})
    check("synthetic", tensors, synthetic="yes")
    check("but earlier ones", {**tensors, "001/000/sample": torch.zeros(2, 4, 9, 8)})


@pytest.mark.parametrize("name", ["demo_like", "stable_diffusion_xl", "class_conditional"])
def test_synthesize(name: str) -> None:
    unet = architectures.ARCHITECTURES[name]()
    scheduler, schedule = schedule_for(None, 3)
    made = synthesize(unet, scheduler, schedule, samples=3, batch_size=2, seed=1, context_length=4)
    again = synthesize(unet, scheduler, schedule, samples=3, batch_size=2, seed=1, context_length=4)
    assert made.synthetic == (name != "class_conditional")
    assert made.schedule == schedule
    expected = set(architectures.example_inputs(unet))
    for step, timestep in enumerate(schedule.timesteps):
        batches = list(made.read(step))
        # Models that take prompts are called with both halves of guidance.
        halves = 1 if name == "class_conditional" else 2
        assert [batch["sample"].shape[0] for batch in batches] == [2 * halves, halves]
        for batch, same in zip(batches, again.read(step), strict=True):
            assert batch.keys() == expected
            assert all(torch.equal(batch[key], same[key]) for key in batch)
            architectures.run_model(unet, dict(batch), timestep)
    if name == "stable_diffusion_xl":
        assert next(iter(made.read(0)))["time_ids"][0].tolist() == [64, 64, 0, 0, 64, 64]


def test_synthesize_an_exported_program(tmp_path: Path) -> None:
    """It takes one row at a time; both halves of guidance are there, and all classes."""
    unet = tiny_unet(num_class_embeds=5)
    inputs = model_inputs(unet, None, 3)
    values = {one.name: torch.ones(one.shape, dtype=one.dtype) for one in inputs}
    exported = torch.export.export(unet, (), {**values, "return_dict": False}, strict=False)
    torch.export.save(exported, tmp_path / "unet.pt2")
    loaded = load_model(tmp_path / "unet.pt2").model
    scheduler, schedule = schedule_for({"_class_name": "EDMEulerScheduler"}, 2)
    alone = synthesize(unet, scheduler, schedule, samples=5, batch_size=1, context_length=3)
    made = synthesize(loaded, scheduler, schedule, samples=5)
    batches = list(made.read(1))
    assert [len(batch["sample"]) for batch in batches] == [2] * 5
    assert sorted(int(batch["class_labels"][1]) for batch in batches) == list(range(5))
    for batch, same in zip(batches, alone.read(1), strict=True):
        torch.testing.assert_close(batch["sample"], same["sample"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [(9, 4), (3, 6)])
def test_synthesize_where_channels_differ(channels: tuple[int, int]) -> None:
    """Inpainting takes more channels than it predicts; a learned variance is predicted and not taken."""
    unet = tiny_unet(in_channels=channels[0], out_channels=channels[1])
    scheduler, schedule = schedule_for(None, 3)
    made = synthesize(unet, scheduler, schedule, samples=1, context_length=3)
    first, last = (next(iter(made.read(step)))["sample"] for step in (0, 2))
    assert first.shape[1] == channels[0]
    changed = [not torch.equal(*pair) for pair in zip(first[0], last[0], strict=True)]
    assert changed == [c < channels[1] for c in range(channels[0])]


def test_synthesize_follows_the_scheduler() -> None:
    """One step of DDIM by hand."""
    unet = tiny_unet()
    scheduler, schedule = schedule_for(
        {**DDIMScheduler(clip_sample=False).config, "_class_name": "DDIMScheduler"}, 2
    )
    made = synthesize(unet, scheduler, schedule, samples=1, context_length=3)
    first, second = (next(iter(made.read(step))) for step in range(2))
    noise = architectures.run_model(unet, dict(first), schedule.timesteps[0])
    # The first sample is guided at scale 1: the half without a prompt counts for nothing.
    first, second, noise = (value[1:] for value in (first["sample"], second["sample"], noise))
    now, then = (scheduler.alphas_cumprod[int(step)] for step in schedule.timesteps)
    clean = (first - (1 - now).sqrt() * noise) / now.sqrt()
    expected = then.sqrt() * clean + (1 - then).sqrt() * noise
    torch.testing.assert_close(second, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        {"_class_name": "RePaintScheduler"},
        {"_class_name": "KarrasVeScheduler"},
        {"_class_name": "EulerAncestralDiscreteScheduler", "prediction_type": "sample"},
        {"_class_name": "DDPMScheduler", "prediction_type": "else"},
    ],
)
def test_schedulers_that_need_more_than_noise(config: dict[str, Any]) -> None:
    scheduler, schedule = schedule_for(config, 3)
    name = config["_class_name"]
    with pytest.raises(DgqcError, match=f"A {name} can't denoise from noise without prompts .*; record"):
        rehearse(scheduler)
    with pytest.raises(DgqcError, match=f"A {name} can't denoise from noise"):
        synthesize(tiny_unet(), scheduler, schedule, samples=1, context_length=3)


def test_rehearsing_changes_nothing() -> None:
    scheduler, schedule = schedule_for({"_class_name": "PNDMScheduler", "skip_prk_steps": True}, 3)
    before = str(vars(scheduler))
    rehearse(scheduler)
    assert str(vars(scheduler)) == before
    assert len(schedule) == 4


def test_a_refiner_is_told_an_aesthetic_score() -> None:
    unet = tiny_unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2560,
    )
    inputs = {one.name: one.shape for one in model_inputs(unet, None, 3)}
    assert (inputs["text_embeds"], inputs["time_ids"]) == ((1, 1280), (1, 5))
    made = synthesize(unet, *schedule_for(None, 1), samples=1, context_length=3)
    assert next(iter(made.read(0)))["time_ids"].tolist() == 2 * [[64, 64, 0, 0, 6]]


def test_synthesize_refusals() -> None:
    unet = tiny_unet()
    scheduler, schedule = schedule_for(None, 3)
    with pytest.raises(DgqcError, match="0 samples"):
        synthesize(unet, scheduler, schedule, samples=0)
    with pytest.raises(DgqcError, match="not the schedule's 4"):
        synthesize(unet, scheduler, schedule_for(None, 4)[1])
    with torch.no_grad():
        unet.conv_out.bias.fill_(float("inf"))
    with pytest.raises(DgqcError, match="runs away"):
        synthesize(unet, scheduler, schedule, samples=1)
