"""Masks of tokens, and UNets that read two contexts: inputs, whatever calibration saw hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import text_parts
import torch
from diffusers import AudioLDM2UNet2DConditionModel, DDIMScheduler

import dgqc
from dgqc.frontends.loading.answering import answer_of
from dgqc.frontends.loading.contexts import context_widths
from dgqc.ir.calibration import Calibration
from dgqc.ir.errors import DgqcError
from dgqc.report.quality import decibels

TOKENS = 6
SIZES = {"": text_parts.WIDTH, "_1": 12}
"""Numbers of a token, by how the names of contexts and masks end."""


def of_two_contexts() -> Any:
    """As AudioLDM 2's: attentions to itself, to a language model's tokens and to a text encoder's."""
    torch.manual_seed(0)
    return AudioLDM2UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        block_out_channels=(8,),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=4,
        cross_attention_dim=[[None, *SIZES.values()]],
    ).eval()


def drawn(seed: int, tokens: int, end: str, kept: int) -> dict[str, torch.Tensor]:
    """Conditions of two samples, whose last tokens a mask hides; of two, the first has no mask."""
    generator = torch.Generator().manual_seed(seed)
    counts = {"": 5, end: tokens} if end else {end: tokens}
    found = {
        f"encoder_hidden_states{one}": torch.randn(2, count, SIZES[one], generator=generator)
        for one, count in counts.items()
    }
    mask = torch.arange(tokens).expand(2, tokens) < kept
    return {**found, f"encoder_attention_mask{end}": mask}


def recorded(unet: Any, end: str) -> Calibration:
    """Two drawings whose masks hide nothing."""
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(2)
    with dgqc.recording(unet) as calls, torch.no_grad():
        for seed in range(2):
            calls.begin_picture()
            latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
            for time in scheduler.timesteps:
                predicted = unet(latents, time, **drawn(seed, TOKENS, end, TOKENS)).sample
                latents = scheduler.step(predicted, time, latents).prev_sample
    return calls.calibration("two drawings")


def quality(program: Any, unet: Any, given: Mapping[str, torch.Tensor]) -> float:
    """Decibels of the program's answer on inputs."""
    step = torch.tensor(program.program.schedule.timesteps[1])
    with torch.no_grad():
        return decibels(answer_of(unet, given, step), program.answer(given, step=1, backend="reference"))


@pytest.mark.parametrize(
    ("make", "end"), [pytest.param(text_parts.unet, "", marks=pytest.mark.slow), (of_two_contexts, "_1")]
)
def test_masks_hide_tokens(make: Any, end: str) -> None:
    unet = make()
    samples = recorded(unet, end)
    program = dgqc.compile(unet, "naive-w8a8", calibration=samples, check=False)
    context, mask = f"encoder_hidden_states{end}", f"encoder_attention_mask{end}"
    taken = {one.name: one.shape for one in program.provenance.inputs}
    assert taken[context] == (1, TOKENS, SIZES[end])
    assert taken[mask] == (1, TOKENS)
    sample = next(samples.read(1))["sample"]
    whole = {"sample": sample, **drawn(1, TOKENS, end, TOKENS)}
    hidden = {**whole, mask: torch.arange(TOKENS).expand(2, TOKENS) < 3}
    # Calibration has seen no hidden token; those that are hidden count as little as in the float model.
    assert quality(program, unet, whole) > 20
    assert quality(program, unet, hidden) > 20
    loud = {**hidden, context: torch.where(hidden[mask][..., None], hidden[context], 0.5)}
    answers = [program.answer(one, step=1, backend="reference") for one in (hidden, loud, whole)]
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
    # A shorter prompt is filled up with hidden tokens.
    short = {name: value[:, :3] if name in (context, mask) else value for name, value in hidden.items()}
    assert torch.equal(answers[0], program.answer(short, step=1, backend="reference"))
    del hidden[mask]
    with pytest.raises(DgqcError, match=f"needs the input {mask}"):
        program.answer(hidden, step=1, backend="reference")


def test_prompts_of_unlike_lengths() -> None:
    unet = text_parts.unet()
    with dgqc.recording(unet) as calls, torch.no_grad():
        for tokens in (4, 6):
            calls.begin_picture()
            unet(torch.randn(1, 4, 8, 8), 1, torch.randn(1, tokens, text_parts.WIDTH))
    with dgqc.recording(unet) as masked, torch.no_grad():
        for tokens in (4, 6):
            masked.begin_picture()
            unet(torch.randn(2, 4, 8, 8), 1, **drawn(0, tokens, "", tokens))
    filled = [one["encoder_attention_mask"].tolist()[0] for one in masked.calibration("masked").read(0)]
    assert filled == [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]]
    with pytest.raises(DgqcError, match=r"encoder_hidden_states 6 x 16, before .* 4 x 16, but a program"):
        calls.calibration("two lengths")


def test_widths_of_contexts() -> None:
    two = {"block_out_channels": [8, 8], "cross_attention_dim": [[None, 768, 1024]] * 2}
    assert context_widths(two) == {"encoder_hidden_states": 768, "encoder_hidden_states_1": 1024}
    with pytest.raises(DgqcError, match=r"different widths \(\[512, 768\]\)"):
        context_widths({**two, "cross_attention_dim": [[None, 768], [512]]})
