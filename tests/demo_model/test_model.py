"""The latent is lossless, the shipped folder loads without this project, and it is small."""

from __future__ import annotations

import json

import numpy as np
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel

from dgqc.demo_model import load_pipeline, pipeline_dir, prompts
from dgqc.demo_model.model import (
    TEXT_LENGTH,
    build_tokenizer,
    depth_to_space,
    space_to_depth,
    to_latents,
    to_pictures,
)
from dgqc.demo_model.pictures import draw, parse_caption, sample_scene


def test_space_to_depth_is_lossless() -> None:
    pictures = torch.randn(2, 3, 32, 32)
    assert space_to_depth(pictures).shape == (2, 12, 16, 16)
    assert torch.equal(depth_to_space(space_to_depth(pictures)), pictures)


def test_latents_give_back_the_pictures() -> None:
    rng = np.random.default_rng(9)
    pictures = np.stack([draw(sample_scene(rng)) for _ in range(4)])
    assert np.array_equal(to_pictures(to_latents(pictures)), pictures)


def test_every_prompt_starts_with_the_same_token() -> None:
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(10)
    captions = ["", *prompts(), *(sample_scene(rng, held_out=None).caption() for _ in range(100))]
    for tokens in tokenizer(captions, padding="max_length").input_ids:
        assert len(tokens) == TEXT_LENGTH
        assert tokens[0] == tokenizer.bos_token_id
        assert tokenizer.eos_token_id in tokens
        assert tokenizer.unk_token_id not in tokens


def test_calibration_prompts_are_in_the_grammar() -> None:
    assert len(set(prompts())) == 64
    for prompt in prompts():
        assert parse_caption(prompt).caption() == prompt


def test_parts_load_with_diffusers_and_transformers_alone() -> None:
    folder = pipeline_dir()
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    assert tokenizer("a red circle").input_ids == build_tokenizer()("a red circle").input_ids
    assert scheduler.config.prediction_type == "sample"
    tokens = tokenizer(["a red circle"], padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        states = text_encoder(tokens).last_hidden_state
        drawn = unet(torch.zeros(1, 12, 16, 16), torch.tensor(999), states).sample
    assert drawn.shape == (1, 12, 16, 16)


def test_whole_pipeline_draws_latents() -> None:
    pipeline = load_pipeline()
    assert type(pipeline) is StableDiffusionPipeline
    latents = pipeline(
        prompts()[:2],
        num_inference_steps=2,
        guidance_scale=2.0,
        generator=[torch.Generator().manual_seed(seed) for seed in (0, 1)],
        output_type="latent",
    ).images
    assert latents.shape == (2, 12, 16, 16)
    assert torch.isfinite(latents).all()


def test_weights_are_small() -> None:
    weights = list(pipeline_dir().parent.rglob("*.safetensors"))
    assert len(weights) == 3
    assert sum(file.stat().st_size for file in weights) < 25e6


def test_folder_names_no_place_on_a_machine() -> None:
    for file in pipeline_dir().rglob("*.json"):
        assert "_name_or_path" not in json.loads(file.read_text())
