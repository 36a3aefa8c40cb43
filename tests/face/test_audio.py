"""AudioLDM 2: its pipeline is calibrated, and a program takes the place of its UNet with two contexts."""

from __future__ import annotations

from typing import Any

import audio_parts
import pytest
import torch

import dgqc
from dgqc.frontends import calibrate

STEPS = 3
PROMPTS = ("a red circle", "a blue square", "a circle", "red")


def drawn(whole: Any, prompt: str) -> torch.Tensor:
    """The latents of a sound."""
    generator = torch.Generator().manual_seed(3)
    found = whole(prompt, num_inference_steps=STEPS, output_type="latent", generator=generator)
    latents: torch.Tensor = found[0]
    return latents


@pytest.mark.slow
def test_sounds(tmp_path: Any) -> None:
    whole = audio_parts.pipeline()
    file = tmp_path / "c.safetensors"
    calibrate(whole, PROMPTS, STEPS, file, batch_size=2)
    program = dgqc.compile(whole, "w8a8", calibration=file, check=False, parts="unet")
    names = [one.name for one in program.provenance.inputs]
    assert names == [
        "sample",
        "encoder_hidden_states",
        "encoder_hidden_states_1",
        "encoder_attention_mask_1",
    ]
    # The last has fewer tokens than any that calibrated: hidden ones fill it up.
    prompts = ("a blue circle", "a")
    expected = [drawn(whole, one) for one in prompts]
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    for wanted, prompt in zip(expected, prompts, strict=True):
        assert (drawn(whole, prompt) - wanted).norm() < 0.1 * wanted.norm()
