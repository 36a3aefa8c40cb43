"""Models of videos and sounds, about as small as there are, and the pipelines around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import text_parts
import torch
from diffusers import (
    AnimateDiffPipeline,
    DanceDiffusionPipeline,
    DDIMScheduler,
    IPNDMScheduler,
    Kandinsky3UNet,
    UNet1DModel,
    UNet3DConditionModel,
    UNetMotionModel,
)

FRAMES, SIDE, TOKENS, LENGTH = 3, 8, text_parts.TOKENS, 32
VIDEO, PICTURE, SOUND = (FRAMES, SIDE, SIDE), (SIDE, SIDE), (1, LENGTH)


def motion() -> Any:
    """AnimateDiff's: one level, motion modules everywhere."""
    torch.manual_seed(0)
    return UNetMotionModel(
        sample_size=SIDE,
        down_block_types=("CrossAttnDownBlockMotion",),
        up_block_types=("CrossAttnUpBlockMotion",),
        block_out_channels=(8,),
        layers_per_block=1,
        cross_attention_dim=text_parts.WIDTH,
        num_attention_heads=2,
        norm_num_groups=4,
        motion_num_attention_heads=2,
        motion_max_seq_length=8,
    ).eval()


def text_to_video() -> Any:
    """One level, with convolutions and attention along frames."""
    torch.manual_seed(0)
    return UNet3DConditionModel(
        sample_size=SIDE,
        down_block_types=("CrossAttnDownBlock3D",),
        up_block_types=("CrossAttnUpBlock3D",),
        block_out_channels=(8,),
        layers_per_block=1,
        cross_attention_dim=text_parts.WIDTH,
        attention_head_dim=4,
        norm_num_groups=4,
    ).eval()


def kandinsky_3() -> Any:
    """Its four levels, whose widths double."""
    torch.manual_seed(0)
    return Kandinsky3UNet(
        time_embedding_dim=16,
        groups=4,
        attention_head_dim=4,
        layers_per_block=2,
        block_out_channels=(16, 32, 64, 128),
        cross_attention_dim=16,
        encoder_hid_dim=12,
    ).eval()


def sounds() -> Any:
    """Dance diffusion's: three levels without a norm of time."""
    torch.manual_seed(0)
    return UNet1DModel(
        sample_size=LENGTH, sample_rate=LENGTH, block_out_channels=(32, 32, 32), extra_in_channels=64
    ).eval()


MODELS: Mapping[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "motion": (motion, VIDEO),
    "text to video": (text_to_video, VIDEO),
    "kandinsky 3": (kandinsky_3, PICTURE),
    "sounds": (sounds, SOUND),
}
"""Each with the size of its samples."""


def animatediff(unet: Any) -> Any:
    """The pipeline, with an autoencoder of two pixels a latent."""
    pipeline = AnimateDiffPipeline(
        vae=text_parts.vae(),
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=unet,
        motion_adapter=None,
        scheduler=DDIMScheduler(),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def dance_diffusion(unet: Any) -> Any:
    """The pipeline of sounds."""
    pipeline = DanceDiffusionPipeline(unet=unet, scheduler=IPNDMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
