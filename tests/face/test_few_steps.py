"""Models of few steps: schedulers for them, and UNets that are told the guidance scale."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import text_parts
import torch
from diffusers import LatentConsistencyModelPipeline, LCMScheduler

import dgqc
from dgqc.compiler.callers import caller_of
from dgqc.compiler.prepare import known_of
from dgqc.compiler.request import Request
from dgqc.frontends import calibrate, load_calibration
from dgqc.frontends.loading.guidance import guidance_embedding, settled_guidance, with_guidance
from dgqc.ir.errors import DgqcError

WIDTH = 12
Run = Callable[..., tuple[int, str, str]]


def told() -> Any:
    """A UNet that is told the guidance scale, loudly."""
    unet = text_parts.unet(time_cond_proj_dim=WIDTH)
    torch.nn.init.normal_(unet.time_embedding.cond_proj.weight)
    return unet


def pipeline(unet: Any) -> Any:
    return LatentConsistencyModelPipeline(
        vae=text_parts.vae(),
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=unet,
        scheduler=LCMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@pytest.mark.parametrize("scale", [0.0, 1.0, 8.5])
def test_a_settled_scale_is_the_scale_told(scale: float) -> None:
    unet = told()
    embedded = pipeline(unet).get_guidance_scale_embedding(torch.tensor([scale - 1]), embedding_dim=WIDTH)
    torch.testing.assert_close(guidance_embedding(scale, WIDTH), embedded)
    settled = with_guidance(unet, scale)
    sample, context = torch.randn(2, 4, 8, 8), torch.randn(2, 6, 16)
    with torch.no_grad():
        expected = unet(sample, 500, context, timestep_cond=embedded).sample
        for given in (None, embedded.expand(2, -1)):
            torch.testing.assert_close(settled(sample, 500, context, timestep_cond=given).sample, expected)
        assert not torch.allclose(unet(sample, 500, context).sample, expected, rtol=0.1)
    assert settled_guidance(unet) is None
    assert settled_guidance(settled) == scale


def test_the_scale_is_asked_for_recorded_the_pipelines_or_usual(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def scale(**options: Any) -> float | None:
        request = Request(**options)
        file = request.calibration
        return settled_guidance(known_of(request, file and load_calibration(file)).model)

    pipeline(told()).save_pretrained(tmp_path / "pipeline")
    assert scale(model=pipeline(told())) == scale(model=tmp_path / "pipeline") == 8.5
    assert scale(model=tmp_path / "pipeline", guidance_scale=3.0) == 3.0
    calibrate(tmp_path / "pipeline", ["a red square"], 2, tmp_path / "c.safetensors", guidance_scale=4.0)
    assert scale(model=told(), calibration=tmp_path / "c.safetensors") == 4.0
    with pytest.raises(DgqcError, match=r"recorded at a guidance scale of 4, .* and 3 is asked for"):
        scale(model=told(), calibration=tmp_path / "c.safetensors", guidance_scale=3.0)
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
    with caplog.at_level(logging.WARNING, "dgqc"):
        assert scale(model=told()) == 8.5
    assert "8.5 is settled; choose another with --guidance-scale" in caplog.text


def test_a_pipeline_with_the_compiled_unet_draws_as_before() -> None:
    whole = pipeline(told())
    program = dgqc.compile(whole, "w8a8", steps=2, samples=4, guidance_scale=3.0, parts="unet")
    assert program.provenance.request["guidance_scale"] == 3.0
    assert {one.name for one in program.provenance.inputs} == {"sample", "encoder_hidden_states"}

    def drawn(scale: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(5)
        options = {"num_inference_steps": 2, "guidance_scale": scale, "output_type": "latent"}
        found: torch.Tensor = whole("a blue circle", generator=generator, **options).images
        return found

    expected, other = drawn(3.0), drawn(9.0)
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    found = drawn(3.0)
    assert (found - expected).norm() < 0.1 * expected.norm()
    assert (found - expected).norm() < (other - expected).norm()
    with pytest.raises(DgqcError, match="compiled for a guidance scale of 3, and the pipeline gives another"):
        drawn(9.0)


SCHEDULES = {
    "lcm": [999.0, 759.0, 499.0, 259.0],
    "tcd": [999.0, 759.0, 499.0, 259.0],
    "euler{timestep_spacing=trailing}": [999.0, 749.0, 499.0, 249.0],
    "ddim{timestep_spacing=trailing}": [999.0, 749.0, 499.0, 249.0],
}


@pytest.mark.parametrize("scheduler", SCHEDULES)
@pytest.mark.parametrize("alone", [True, False])
def test_schedulers_of_few_steps(scheduler: str, alone: bool) -> None:
    """Of LCM-LoRA, Hyper-SD, Lightning and Turbo: alone, and in a pipeline."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    unet = text_parts.unet()
    plain = pipeline(unet).components
    model = unet if alone else StableDiffusionPipeline(
        **{**plain, "scheduler": DDIMScheduler(), "image_encoder": None}, requires_safety_checker=False
    )  # fmt: skip
    request = Request(model, scheduler=scheduler, steps=4, guidance_scale=None if alone else 1.0)
    known = known_of(request)
    caller = caller_of(request, known, None)
    assert list(caller.schedule.timesteps) == SCHEDULES[scheduler]
    assert (caller.drawings is None) == alone
    samples = caller.samples(known.model, 1, 1, 0, None, text_parts.TOKENS)
    assert all(torch.isfinite(next(samples.read(step))["sample"]).all() for step in range(4))
    # A pipeline that doesn't guide calls without the empty prompt.
    assert alone or len(next(samples.read(0))["sample"]) == 1
    assert replace(request, steps=3) != request
