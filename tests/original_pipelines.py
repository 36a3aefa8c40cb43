"""Pipelines of Stable Diffusion's kinds, and the same under the names of a checkpoint in one file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import text_parts
import torch
from diffusers import AutoencoderKL
from original_names import original_names
from original_parts import clip, encoder, open_clip, vae_names

_diffusers: Any = diffusers
Tensors = dict[str, torch.Tensor]


def vae() -> Any:
    torch.manual_seed(2)
    return AutoencoderKL(
        latent_channels=4,
        block_out_channels=(32, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=0.18215,
    ).eval()


def stable_diffusion(
    unet: Any, names: Callable[[Any], Tensors], act: str, kind: str = "StableDiffusionPipeline"
) -> tuple[Any, Tensors]:
    """A pipeline of one text encoder, and the same in one file. kind: the pipeline's class."""
    text = encoder(unet.config.cross_attention_dim, 2, act=act)
    pipeline = getattr(_diffusers, kind)(
        vae=vae(),
        text_encoder=text,
        tokenizer=text_parts.tokenizer(),
        unet=unet,
        scheduler=_diffusers.DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return pipeline, {**original_names(pipeline.unet), **names(text), **vae_names(pipeline.vae)}


SCHEDULE = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def with_last_layer(text: Any) -> Tensors:
    """Stable Diffusion 2's as published: a layer that nobody reads, and a projection."""
    start = "cond_stage_model.model."
    whole = open_clip(encoder(1024, 3, projection=1024, act="gelu"), start)
    return {**whole, **open_clip(text, start)}


def sdxl(unet: Any, refiner: bool = False, projection: int = 16) -> tuple[Any, Tensors]:
    """A pipeline of two text encoders, or the refiner's of one, and the same in one file.

    projection: numbers of a pooled text.
    """
    first, second = encoder(32), encoder(48 if refiner else 16, projection=projection, act="gelu")
    kind = _diffusers.StableDiffusionXLImg2ImgPipeline if refiner else _diffusers.StableDiffusionXLPipeline
    pipeline = kind(
        vae=vae(),
        text_encoder=None if refiner else first,
        text_encoder_2=second,
        tokenizer=None if refiner else text_parts.tokenizer(),
        tokenizer_2=text_parts.tokenizer(),
        unet=unet,
        scheduler=_diffusers.EulerDiscreteScheduler(
            beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1
        ),
        **({"requires_aesthetics_score": True} if refiner else {}),
    )
    texts = clip(first, "conditioner.embedders.0.transformer.") if not refiner else {}
    texts |= open_clip(second, f"conditioner.embedders.{int(not refiner)}.model.")
    return pipeline, {**original_names(pipeline.unet), **texts, **vae_names(pipeline.vae)}
