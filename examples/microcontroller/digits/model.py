"""The model: a class-conditioned UNet of 177 thousand parameters, its noise schedule, and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray

from .pictures import DIGITS, SIZE

PIPELINE = Path(__file__).resolve().parent.parent / "pipeline"
"""The shipped pipeline folder: `unet` and `scheduler`."""
STEPS = 10
"""Denoising steps that the example compiles for."""

_diffusers: Any = diffusers  # its annotations are partial, so calls into it go unchecked


def build_unet() -> Any:
    """An untrained `UNet2DModel`: pictures [N, 1, 16, 16], a label 0..9, self-attention at 8x8."""
    return _diffusers.UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=8,
        num_class_embeds=DIGITS,
    )


def build_scheduler() -> Any:
    """A `DDIMScheduler`: the UNet predicts the clean picture, and the last timestep is pure noise."""
    return _diffusers.DDIMScheduler(
        prediction_type="sample",
        clip_sample=True,
        rescale_betas_zero_snr=True,
        beta_schedule="linear",
        timestep_spacing="trailing",
    )


def load_unet(pipeline: Path = PIPELINE) -> Any:
    """The trained UNet in float32."""
    unet = _diffusers.UNet2DModel.from_pretrained(
        pipeline / "unet", low_cpu_mem_usage=False, torch_dtype=torch.float32
    )
    return unet.eval()


def to_values(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Values float32[N, 1, 16, 16] in -1..1 of pictures uint8[N, 16, 16]."""
    return torch.from_numpy(pictures)[:, None].float() / 127.5 - 1.0


def to_pictures(values: torch.Tensor) -> NDArray[np.uint8]:
    """Pictures uint8[N, 16, 16] of values [N, 1, 16, 16]; what lies outside -1..1 is clipped."""
    scaled = ((values[:, 0].detach().float() + 1.0) * 127.5).round().clamp(0, 255)
    array: NDArray[np.uint8] = scaled.byte().numpy()
    return array


@torch.no_grad()
def sample(unet: Any, labels: list[int], seed: int, steps: int = STEPS) -> NDArray[np.uint8]:
    """Pictures uint8[N, 16, 16] that a float UNet draws from noise, one of each label."""
    scheduler = build_scheduler()
    scheduler.set_timesteps(steps)
    values = torch.randn((len(labels), 1, SIZE, SIZE), generator=torch.Generator().manual_seed(seed))
    for timestep in scheduler.timesteps:
        predicted = unet(values, timestep, class_labels=torch.tensor(labels)).sample
        values = scheduler.step(predicted, timestep, values).prev_sample
    return to_pictures(values)
