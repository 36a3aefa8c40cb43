"""Fixtures for the frontends' tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import architectures
import pytest
import text_parts
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from text_parts import TOKENS, WORDS

from dgqc.frontends import capture
from dgqc.ir.program import Program

__all__ = ["TOKENS", "WORDS"]


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


def tiny_unet(**options: Any) -> Any:
    """A UNet with a single level of cross attention, about as small as there is."""
    return text_parts.unet(**options)


@pytest.fixture(scope="session")
def pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved text-to-image pipeline of random parts, without a VAE."""
    folder = tmp_path_factory.mktemp("pipeline")
    StableDiffusionPipeline(
        vae=None,
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
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
