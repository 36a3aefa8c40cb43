"""Shallow calls in an unmodified diffusers pipeline, in `verify`, in the loop: no two pictures mix."""

from __future__ import annotations

from typing import Any

import architectures
import pytest
import torch
from diffusers import DDIMScheduler

from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.diffusers_unet import CompiledUNet
from dgqc.execution.verify import verify
from dgqc.ir.caching import FeatureCache, cached_node, sources_of
from dgqc.passes.manager.presets import pipeline_for

from .conftest import compiled_small
from .test_diffusers_unet import pipeline_around

CACHING = "cache-schedule{interval=2,samples=2},measure-error"
PASSES = pipeline_for("naive-w8a8").replace("measure-error", CACHING)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def caching() -> CompiledProgram:
    return compiled_small("demo_like", pass_pipeline=PASSES, scheduler="ddim", loop="own")


class Prompt:
    """A prompt with its latents, and its pipeline call by call."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.context = torch.randn(2, architectures.CONTEXT_LENGTH, 20, generator=generator)
        self.latents = torch.randn(1, 12, 8, 8, generator=generator)


def drawn(unet: CompiledUNet, prompts: list[Prompt]) -> torch.Tensor:
    pipeline: Any = pipeline_around(unet, DDIMScheduler())
    pipeline.scheduler = DDIMScheduler()  # The pipeline's constructor would move its timesteps by one.
    found: torch.Tensor = pipeline(
        prompt_embeds=torch.cat([one.context[:1] for one in prompts]),
        negative_prompt_embeds=torch.cat([one.context[1:] for one in prompts]),
        latents=torch.cat([one.latents for one in prompts]),
        num_inference_steps=len(unet.program.program.schedule),
        guidance_scale=2.0,
        height=64,
        width=64,
        output_type="latent",
    ).images
    return found


def test_two_prompts_in_turn_and_in_one_batch(caching: CompiledProgram) -> None:
    """Each picture is what it is alone, by a drop-in that has drawn nothing else."""
    original, prompts = architectures.demo_like(), [Prompt(1), Prompt(2)]
    alone = [drawn(caching.as_diffusers_unet(original, backend="reference"), [one]) for one in prompts]
    unet = caching.as_diffusers_unet(original, backend="reference")
    for place in (0, 1, 0):
        assert torch.equal(drawn(unet, [prompts[place]]), alone[place])
    assert torch.equal(drawn(unet, prompts), torch.cat(alone))


def test_calls_of_two_prompts_that_take_turns(caching: CompiledProgram) -> None:
    """Calls of one and the other, then one left in the middle and begun anew."""
    unet = caching.as_diffusers_unet(architectures.demo_like(), backend="reference")
    prompts, own = [Prompt(1), Prompt(2)], [FeatureCache(), FeatureCache()]
    timesteps = caching.program.schedule.timesteps

    def called(place: int, step: int) -> torch.Tensor:
        given = {"sample": prompts[place].latents, "encoder_hidden_states": prompts[place].context[:1]}
        wanted = caching.answer(given, step=step, backend="reference", caches=[own[place]])
        found: torch.Tensor = unet(**given, timestep=timesteps[step], return_dict=False)[0]
        assert torch.equal(found, wanted), (place, step)
        return found

    shallow = [step for step, source in enumerate(sources_of(caching.program.graph)) if source != step]
    assert shallow
    for step in range(shallow[0] + 1):
        for place in (0, 1):
            called(place, step)
    own[0].forget()
    for step in range(shallow[0] + 1):
        called(0, step)


def test_verify_compares_sequences(caching: CompiledProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = len(caching.program.schedule)
    seen: list[Any] = []
    whole = CompiledProgram.run_integers

    def noted(self: CompiledProgram, *given: Any, **options: Any) -> torch.Tensor:
        seen.append(options.get("cache"))
        return whole(self, *given, **options)

    monkeypatch.setattr(CompiledProgram, "run_integers", noted)
    found = verify(caching, backends=["c"])
    assert found.bit_exact
    assert found.drawing
    in_sequences = [one for one in seen if one is not None]
    assert len({id(one) for one in in_sequences}) == 4
    assert len(in_sequences) == 2 * (calls + calls - calls // 2)


def test_what_is_cached_is_said(caching: CompiledProgram) -> None:
    report = caching.program.report["cache-schedule"]
    node = cached_node(caching.program.graph.graph)
    assert node is not None
    assert report["full-calls"] == sorted(set(sources_of(caching.program.graph)))
    assert 0 < report["shallow-percent"] < report["percent"] < 100
