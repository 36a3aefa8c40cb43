"""Videos and sounds: compiled from their pipelines, in their pipelines again, and called alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import videos

import dgqc
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.pictures import prompted_texts
from dgqc.ir.errors import DgqcError

STEPS = 2
PROMPT = "a red square"


def drawn(pipeline: Any, **options: Any) -> torch.Tensor:
    """The frames of a video, (1, frames, channels, height, width)."""
    given = {"num_frames": videos.FRAMES, "num_inference_steps": STEPS, "output_type": "pt", **options}
    frames: torch.Tensor = pipeline(PROMPT, generator=torch.Generator().manual_seed(3), **given).frames
    return frames


@pytest.fixture(scope="module")
def program() -> CompiledProgram:
    pipeline = videos.animatediff(videos.motion())
    return dgqc.compile(
        pipeline, "naive-w8a8", steps=STEPS, samples=1, sample_size=videos.VIDEO, parts="unet", check=False
    )


@pytest.mark.slow
def test_animatediff_draws_nearly_the_float_models_frames(program: CompiledProgram) -> None:
    pipeline = videos.animatediff(videos.motion())
    wanted = drawn(pipeline)
    pipeline.unet = program.as_diffusers_unet(pipeline.unet)
    found = drawn(pipeline)
    assert found.shape == wanted.shape == (1, videos.FRAMES, 3, 2 * videos.SIDE, 2 * videos.SIDE)
    assert (found - wanted).square().mean() < 0.05 * (wanted - wanted.mean()).square().mean()
    assert torch.equal(drawn(pipeline), found)
    with pytest.raises(DgqcError, match="compiled for"):
        drawn(pipeline, num_frames=videos.FRAMES + 1)


def test_frames_are_decoded_by_their_pipeline() -> None:
    sample = SimpleNamespace(name="sample", shape=(1, 4, *videos.VIDEO))
    bundle: Any = SimpleNamespace(program=SimpleNamespace(inputs=[sample]), parts={})
    with pytest.raises(DgqcError, match="draws videos, whose frames its pipeline decodes: put it there with"):
        prompted_texts(bundle)


@pytest.mark.slow
def test_a_bundle_of_a_video(program: CompiledProgram, tmp_path: Path) -> None:
    """Loaded again, it needs no original."""
    loaded = dgqc.load(program.save(tmp_path / "video.dgqc"))
    pipeline = videos.animatediff(videos.motion())
    pipeline.unet = loaded.as_diffusers_unet()
    assert type(pipeline.unet).__name__ == "UNetMotionModel"
    assert bool(drawn(pipeline).isfinite().all())


@pytest.mark.slow
@pytest.mark.parametrize("opt", ["naive-w8a8", "w4a6"])
@pytest.mark.parametrize("name", videos.MODELS)
def test_c_is_the_reference(name: str, opt: str) -> None:
    make, size = videos.MODELS[name]
    options = {"steps": STEPS, "samples": 1, "context_length": videos.TOKENS, "sample_size": size}
    compiled = dgqc.compile(make(), opt, check=False, **options)
    torch.manual_seed(2)
    inputs = {one.name: torch.randn(one.shape) for one in compiled.provenance.inputs}
    if "encoder_attention_mask" in inputs:
        inputs["encoder_attention_mask"] = (torch.arange(videos.TOKENS) < 4).float()[None]
    for step in range(STEPS):
        answers = [compiled.answer(inputs, step=step, backend=one) for one in ("reference", "c")]
        assert torch.equal(*answers)
        assert answers[0].shape == inputs["sample"].shape


@pytest.mark.slow
def test_dance_diffusion_makes_nearly_the_float_models_sounds() -> None:
    pipeline = videos.dance_diffusion(videos.sounds())

    def heard() -> torch.Tensor:
        found = pipeline(num_inference_steps=STEPS, generator=torch.Generator().manual_seed(3)).audios
        return torch.as_tensor(found)

    wanted = heard()
    compiled = dgqc.compile(pipeline, "naive-w8a8", steps=STEPS, samples=1, check=False)
    pipeline.unet = compiled.as_diffusers_unet(pipeline.unet)
    found = heard()
    assert found.shape == wanted.shape == (1, 2, videos.LENGTH)
    assert (found - wanted).square().mean() < 0.01 * wanted.square().mean()
