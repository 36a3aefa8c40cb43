"""UNets of sequences, for sounds and trajectories: images of one row, exported as docs/own-unet.md shows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import UNet1DModel
from torch import nn

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.frontends import ExportedUNet, capture
from dgqc.ir.level import Level

TIME = 0.3
KINDS: dict[str, dict[str, Any]] = {
    "trajectories": {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "time_embedding_type": "positional",
        "use_timestep_embedding": True,
        "freq_shift": 1,
        "flip_sin_to_cos": False,
        "down_block_types": ("DownResnetBlock1D", "DownResnetBlock1D"),
        "up_block_types": ("UpResnetBlock1D",),
        "mid_block_type": "MidResTemporalBlock1D",
        "out_block_type": "OutConv1DBlock",
        "block_out_channels": (32, 64),
        "act_fn": "mish",
    },
    "sounds": {
        "sample_size": 32,
        "block_out_channels": (32, 32, 32),
        "extra_in_channels": 64,
    },
}
"""As diffuser planning and dance diffusion have them, with few channels."""


class OneRow(nn.Module):
    """A UNet of sequences (B, C, L), called with images (B, C, 1, L)."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.unet(sample.squeeze(2), timestep, return_dict=False)[0]
        return found.unsqueeze(2)


def exported(kind: str) -> tuple[OneRow, ExportedUNet, torch.Tensor]:
    """The module, the same exported, and a sample."""
    torch.manual_seed(0)
    unet: Any = UNet1DModel(**KINDS[kind])
    model = OneRow(unet).eval()
    sample = torch.randn(1, unet.config.in_channels, 1, unet.config.sample_size)
    return (
        model,
        ExportedUNet(torch.export.export(model, (sample, torch.tensor([TIME])), strict=False)),
        sample,
    )


@pytest.mark.parametrize("kind", ["trajectories", pytest.param("sounds", marks=pytest.mark.slow)])
def test_captured(kind: str) -> None:
    model, unet, sample = exported(kind)
    program = capture(unet)
    with torch.no_grad():
        expected = model(sample, torch.tensor([TIME]))
        found = program.graph(sample=sample, timestep=torch.tensor([TIME]))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_lowered(kind: str) -> None:
    program, _ = lower(Request(exported(kind)[1], "naive-w8a8", steps=1, samples=1, batch_size=1))
    assert program.level is Level.INTEGER


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed_convolutions_of_sequences(stride: int) -> None:
    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = nn.ConvTranspose1d(4, 6, 5, stride, padding=1, dilation=2)
            self.down = nn.Conv1d(6, 4, 3)

        def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            return self.down(self.up(sample.squeeze(2))).unsqueeze(2)  # type: ignore[no-any-return]

    torch.manual_seed(stride)
    model, sample, time = Up().eval(), torch.randn(1, 4, 1, 7), torch.tensor([TIME])
    program = capture(ExportedUNet(torch.export.export(model, (sample, time))))
    with torch.no_grad():
        found = program.graph(sample=sample, timestep=time)
        torch.testing.assert_close(found, model(sample, time), rtol=1e-4, atol=1e-5)
