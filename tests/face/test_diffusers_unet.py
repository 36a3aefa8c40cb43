"""A compiled UNet in an unmodified diffusers pipeline."""

from __future__ import annotations

from typing import Any

import architectures
import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline

from dgqc.backends.c.target import CTarget
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.ir.errors import DgqcError

from .conftest import STEPS, compiled_small


@pytest.fixture(scope="module")
def conditional() -> CompiledProgram:
    return compiled_small("one_transformer", "w8a8")


def pipeline_around(unet: Any, scheduler: Any) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline(
        vae=None,
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(pipeline: StableDiffusionPipeline, steps: int = STEPS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    context = torch.randn(2, architectures.CONTEXT_LENGTH, 20, generator=generator)
    latents: torch.Tensor = pipeline(
        prompt_embeds=context[:1],
        negative_prompt_embeds=context[1:],
        num_inference_steps=steps,
        guidance_scale=2.0,
        height=64,
        width=64,
        generator=generator,
        output_type="latent",
    ).images
    return latents


def test_a_backend_that_cannot_run_is_refused_where_it_is_given(
    conditional: CompiledProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DgqcError, match=r"There is no backend 'refrence': did you mean reference\?"):
        conditional.as_diffusers_unet(backend="refrence")
    monkeypatch.setattr(CTarget, "cannot_run", lambda *_: "there is no C compiler")
    with pytest.raises(DgqcError, match="Backend c can't run: there is no C compiler"):
        conditional.as_diffusers_unet(backend="c")


def scheduler_like_compiled() -> DDIMScheduler:
    from dgqc.frontends.schedules import schedule_for

    scheduler: DDIMScheduler = schedule_for(None, STEPS)[0]
    return scheduler


def test_draws_nearly_what_the_float_model_draws(conditional: CompiledProgram) -> None:
    unet = architectures.one_transformer()
    pipeline = pipeline_around(unet, scheduler_like_compiled())
    wanted = draw(pipeline)
    pipeline.unet = conditional.as_diffusers_unet(unet)
    found = draw(pipeline)
    assert found.shape == wanted.shape
    assert (found - wanted).square().mean() < 0.05 * wanted.square().mean()
    assert torch.equal(draw(pipeline), found)


def test_other_schedules_are_refused(conditional: CompiledProgram) -> None:
    unet = architectures.one_transformer()
    pipeline = pipeline_around(conditional.as_diffusers_unet(unet), scheduler_like_compiled())
    with pytest.raises(DgqcError, match="not in the schedule"):
        draw(pipeline, steps=STEPS + 4)
    pipeline.unet = conditional.as_diffusers_unet(unet, allow_nearest_step=True)
    assert torch.isfinite(draw(pipeline, steps=STEPS + 4)).all()


def test_a_timestep_evaluated_twice_has_two_rows() -> None:
    scheduler = PNDMScheduler(skip_prk_steps=True, steps_offset=1)
    scheduler.set_timesteps(STEPS)
    assert len(set(scheduler.timesteps.tolist())) < len(scheduler.timesteps)
    from dgqc.frontends.calibrating.synthesize import synthesize
    from dgqc.ir.schedule import Schedule

    unet = architectures.one_transformer()
    schedule = Schedule("PNDMScheduler", tuple(float(t) for t in scheduler.timesteps))
    samples = synthesize(unet, scheduler, schedule, 1, context_length=architectures.CONTEXT_LENGTH)
    compiled = compiled_small("one_transformer", "naive-w8a8", calibration=samples, steps=None)
    pipeline = pipeline_around(compiled.as_diffusers_unet(unet), scheduler)
    seen: list[int] = []
    whole = compiled._step

    def noted(*arguments: Any) -> int:
        seen.append(whole(*arguments))
        return seen[-1]

    compiled._step = noted  # type: ignore[method-assign]
    draw(pipeline)
    draw(pipeline)
    assert seen == 2 * list(range(len(schedule)))


def test_outputs_and_refusals(conditional: CompiledProgram) -> None:
    unet = architectures.one_transformer()
    compiled = conditional.as_diffusers_unet(unet)
    inputs = architectures.example_inputs(unet)
    time = conditional.program.schedule.timesteps[0]
    whole = compiled(inputs["sample"], time, inputs["encoder_hidden_states"])
    (alone,) = compiled(inputs["sample"], time, inputs["encoder_hidden_states"], return_dict=False)
    assert torch.equal(whole.sample, alone)
    assert compiled.dtype == torch.float32
    assert compiled.device.type == "cpu"
    assert sum(one.numel() for one in compiled.parameters()) == 0
    with pytest.raises(DgqcError, match="no input attention_mask"):
        compiled(inputs["sample"], time, inputs["encoder_hidden_states"], attention_mask=torch.ones(1))
    with pytest.raises(DgqcError, match="needs the input encoder_hidden_states"):
        compiled(inputs["sample"], time)
    with pytest.raises(DgqcError, match="takes 4 channels"):
        conditional.as_diffusers_unet(architectures.stable_diffusion_1())
