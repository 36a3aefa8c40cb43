"""The models: their UNets, their schedulers, and what their UNets are asked at a noise level.

Both draw digits, 16 x 16 grey, by class. `guided` is built as guided diffusion is: scale-shift norms, ResNet
down- and upsampling, a cosine schedule, the noise predicted. `edm` has Karras' preconditioning: the UNet sees
the scaled picture and a quarter of the noise level's logarithm, and what it says is put together with the
picture outside of it.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import diffusers
import torch

FOLDER = Path(__file__).resolve().parents[1]
SIZE = 16
CLASSES = 10
_diffusers: Any = diffusers  # its annotations are partial, so calls into it go unchecked


class Family(StrEnum):
    """Which model."""

    GUIDED = "guided"
    EDM = "edm"

    @property
    def folder(self) -> Path:
        """Of the trained one: `unet` and `scheduler`."""
        return FOLDER / self.value


def build_unet(family: Family) -> Any:
    """An untrained `UNet2DModel`: pictures (N, 1, 16, 16), a class 0 .. 9, attention at 8 x 8."""
    resampling = "resnet" if family is Family.GUIDED else "conv"
    plain = "Resnet{}sampleBlock2D" if family is Family.GUIDED else "{}Block2D"
    return _diffusers.UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64),
        down_block_types=(plain.format("Down"), "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", plain.format("Up")),
        downsample_type=resampling,
        upsample_type=resampling,
        layers_per_block=1,
        resnet_time_scale_shift="scale_shift" if family is Family.GUIDED else "default",
        norm_num_groups=8,
        attention_head_dim=16,
        num_class_embeds=CLASSES,
    )


def build_scheduler(family: Family) -> Any:
    """DDIM over a cosine schedule that predicts noise, or Euler steps between EDM's noise levels."""
    if family is Family.GUIDED:
        return _diffusers.DDIMScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="epsilon", timestep_spacing="trailing"
        )
    return _diffusers.EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5)


def load_unet(family: Family) -> Any:
    """The trained UNet in float32."""
    unet = _diffusers.UNet2DModel.from_pretrained(
        family.folder / "unet", low_cpu_mem_usage=False, torch_dtype=torch.float32
    )
    return unet.eval()


@torch.no_grad()
def draw(family: Family, unet: Any, labels: torch.Tensor, steps: int, seed: int) -> torch.Tensor:
    """Pictures float32 (N, 1, 16, 16), about -1 .. 1, by the scheduler's own loop.

    unet: called as diffusers' are. labels: int64 (N,).
    """
    scheduler = build_scheduler(family)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    state = torch.randn(len(labels), 1, SIZE, SIZE, generator=generator) * scheduler.init_noise_sigma
    for time in scheduler.timesteps:
        given = scheduler.scale_model_input(state, time)
        answer = unet(given, time, class_labels=labels, return_dict=False)[0]
        state = scheduler.step(answer, time, state, return_dict=False)[0]
    return state.clamp(-1, 1)
