"""Fixtures for the frontends' tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from dgqc.frontends import capture
from dgqc.ir.program import Program

WORDS = ("a", "red", "blue", "square", "circle")
TOKENS = 6


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@cache
def _captured(name: str) -> tuple[architectures.UNet, Program]:
    unet = architectures.ARCHITECTURES[name]()
    return unet, capture(unet, context_length=architectures.CONTEXT_LENGTH)


@pytest.fixture(scope="session")
def captured() -> Callable[[str], tuple[architectures.UNet, Program]]:
    """An architecture's UNet and its captured program, by name; each is captured once."""
    return _captured


def tiny_unet(**options: Any) -> UNet2DConditionModel:
    """A UNet with a single level of cross attention, about as small as there is."""
    defaults: dict[str, Any] = {
        "sample_size": 8,
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
        "block_out_channels": (8,),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "cross_attention_dim": 16,
    }
    torch.manual_seed(0)
    return UNet2DConditionModel(**{**defaults, **options}).eval()


@pytest.fixture(scope="session")
def pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved text-to-image pipeline of random parts, without a VAE."""
    folder = tmp_path_factory.mktemp("pipeline")
    numbers = {word: number for number, word in enumerate(("<pad>", "<start>", "<end>", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 2)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<start>",
        eos_token="<end>",
        model_max_length=TOKENS,
    )
    torch.manual_seed(0)
    encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(numbers),
            hidden_size=16,
            intermediate_size=16,
            projection_dim=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=TOKENS,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    StableDiffusionPipeline(
        vae=None,
        text_encoder=encoder.eval(),
        tokenizer=wrapped,
        unet=tiny_unet(),
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


class Hostile:
    """Unpickling one of these writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)
