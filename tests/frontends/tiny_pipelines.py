"""Pipelines of every kind around the smallest UNets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import (
    CMStochasticIterativeScheduler,
    ConsistencyModelPipeline,
    DDIMPipeline,
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    DiTTransformer2DModel,
    PNDMPipeline,
    PNDMScheduler,
    ScoreSdeVePipeline,
    ScoreSdeVeScheduler,
    UNet2DModel,
)

CLASSES = 7


def unet(**options: Any) -> UNet2DModel:
    """One level, no attention, 3 x 8 x 8."""
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "sample_size": 8,
        "layers_per_block": 1,
        "block_out_channels": (8,),
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",),
        "add_attention": False,
    }
    return UNet2DModel(**{**defaults, **options}).eval()


PIPELINES: Mapping[str, Callable[[], Any]] = {
    "ddpm": lambda: DDPMPipeline(unet(), DDPMScheduler()),
    "ddim": lambda: DDIMPipeline(unet(), DDIMScheduler()),
    "pndm": lambda: PNDMPipeline(unet(), PNDMScheduler()),
    "consistency": lambda: ConsistencyModelPipeline(unet(), CMStochasticIterativeScheduler()),
    "classes": lambda: ConsistencyModelPipeline(
        unet(num_class_embeds=CLASSES), CMStochasticIterativeScheduler()
    ),
    "noise levels": lambda: ScoreSdeVePipeline(unet(), ScoreSdeVeScheduler()),
}


def without_classes() -> Any:
    """A pipeline that doesn't know that its UNet wants classes."""
    return DDPMPipeline(unet(num_class_embeds=CLASSES), DDPMScheduler())


def without_unet() -> Any:
    """A pipeline around a transformer."""
    from diffusers import DiTPipeline

    transformer = DiTTransformer2DModel(
        num_attention_heads=1, attention_head_dim=8, num_layers=1, sample_size=8, num_embeds_ada_norm=4
    )
    return DiTPipeline(transformer, None, DDIMScheduler())
