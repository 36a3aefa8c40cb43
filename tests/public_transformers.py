"""Small transformers over pictures written from their papers, and what exports and calls all of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from public_unets import Crowson, Guided, Mobile, Panorama, Tensor, Wang, sinusoid
from torch import nn
from torch.nn import functional as F

from dgqc.frontends.loading.exported_unet import ExportedUNet

SIZE = 8


class ViTBlock(nn.Module):
    """Fused queries, keys and values; a linear joins the long skip (Bao et al., 2023)."""

    def __init__(self, width: int, skip: bool = False) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.skip = nn.Linear(2 * width, width) if skip else None

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        if self.skip is not None:
            x = self.skip(torch.cat([x, skip], dim=-1))
        b, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(b, tokens, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        x = x + self.proj(mixed.transpose(1, 2).reshape(b, tokens, width))
        output: Tensor = x + self.mlp(self.norm2(x))
        return output


class UViT(nn.Module):
    """U-ViT: time as a token, learned positions, long skips, a convolution at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.position = nn.Conv2d(4, 24, 2, 2), nn.Parameter(0.5 * torch.randn(1, 17, 24))
        self.time = nn.Sequential(nn.Linear(24, 48), nn.SiLU(), nn.Linear(48, 24))
        self.into, self.middle, self.out = ViTBlock(24), ViTBlock(24), ViTBlock(24, skip=True)
        self.norm, self.decode = nn.LayerNorm(24), nn.Linear(24, 16)
        self.last = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        x = self.patch(sample).flatten(2).transpose(1, 2)
        time = self.time(sinusoid(timestep, 24)).unsqueeze(1)
        x = torch.cat([time, x], dim=1) + self.position
        skip = self.into(x)
        x = self.decode(self.norm(self.out(self.middle(skip), skip)))[:, 1:]
        x = x.reshape(x.shape[0], 4, 4, 2, 2, 4)
        output: Tensor = self.last(torch.einsum("bhwpqc->bchpwq", x).reshape(x.shape[0], 4, SIZE, SIZE))
        return output


class Modern(nn.Module):
    """A transformer of today: RMSNorm, rotary positions, few keys, SwiGLU, modulation by time."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.last = nn.Conv2d(4, 32, 2, 2), nn.Linear(32, 16)
        self.time = nn.Linear(32, 4 * 32)
        self.norm, self.norm2 = nn.RMSNorm(32), nn.RMSNorm(32, eps=1e-6)
        self.q, self.kv, self.out = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.q_norm, self.k_norm = nn.RMSNorm(8), nn.RMSNorm(8)
        self.gate, self.up, self.down = nn.Linear(32, 48), nn.Linear(32, 48), nn.Linear(48, 32)
        angles = torch.outer(torch.arange(16.0), 1 / 100 ** (torch.arange(0, 8, 2) / 8))
        self.register_buffer("turns", torch.polar(torch.ones_like(angles), angles), persistent=False)

    def turned(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * self.turns).flatten(3).type_as(x)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        x = self.patch(sample).flatten(2).transpose(1, 2)
        condition = self.time(F.silu(sinusoid(timestep, 32))).unsqueeze(1)
        shift, scale, gate, gate2 = condition.chunk(4, dim=-1)
        h = self.norm(x) * (1 + scale) + shift
        q = self.q(h).view(1, 16, 4, 8).transpose(1, 2)
        k, v = self.kv(h).view(1, 16, 2, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.turned(self.q_norm(q)), self.turned(self.k_norm(k))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + gate * self.out(mixed.transpose(1, 2).reshape(1, 16, 32))
        h = self.norm2(x)
        x = x + torch.tanh(gate2) * self.down(F.silu(self.gate(h)) * self.up(h))
        x = self.last(x).reshape(1, 4, 4, 2, 2, 4).permute(0, 5, 1, 3, 2, 4)
        return x.reshape(1, 4, SIZE, SIZE)


class Windows(nn.Module):
    """Attention in shifted windows, with biases by relative position and a mask (Liu et al., 2021)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(4, 16, 3, padding=1), nn.Conv2d(16, 4, 3, padding=1)
        self.norm, self.qkv, self.proj = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16)
        self.table = nn.Parameter(torch.randn(49, 2))
        places = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")).flatten(1)
        apart = places[:, :, None] - places[:, None, :] + 3
        self.register_buffer("index", apart[0] * 7 + apart[1])
        regions = torch.zeros(SIZE, SIZE)
        regions[-2:] += 1
        regions[:, -2:] += 2
        parts = self.parted(regions[None, :, :, None]).squeeze(-1)
        self.register_buffer("mask", (parts[:, None] != parts[:, :, None]).float() * -100)

    @staticmethod
    def parted(x: Tensor) -> Tensor:
        b, height, width, channels = x.shape
        windows = x.view(b, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        return windows.reshape(-1, 16, channels)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        x = self.first(sample) + torch.cos(timestep / 100).reshape(-1, 1, 1, 1)
        rows = torch.roll(self.norm(x.permute(0, 2, 3, 1)), (-2, -2), dims=(1, 2))
        qkv = self.qkv(self.parted(rows)).reshape(4, 16, 3, 2, 8).permute(2, 0, 3, 1, 4)
        scores = (qkv[0] * 8**-0.5) @ qkv[1].transpose(-2, -1)
        scores = scores + self.table[self.index.view(-1)].view(16, 16, 2).permute(2, 0, 1).unsqueeze(0)
        scores = scores + self.mask.unsqueeze(1)
        mixed = self.proj((scores.softmax(-1) @ qkv[2]).transpose(1, 2).reshape(4, 16, 16))
        back = mixed.view(1, 2, 2, 4, 4, 16).permute(0, 1, 3, 2, 4, 5).reshape(1, SIZE, SIZE, 16)
        output: Tensor = self.last(x + torch.roll(back, (2, 2), dims=(1, 2)).permute(0, 3, 1, 2))
        return output


PUBLIC: dict[str, Callable[[], nn.Module]] = {
    "guided": Guided,
    "crowson": Crowson,
    "wang": Wang,
    "mobile": Mobile,
    "panorama": Panorama,
    "uvit": UViT,
    "modern": Modern,
    "windows": Windows,
}


def sample_of(step: int, count: int) -> dict[str, Tensor]:
    """Random samples of a call."""
    generator = torch.Generator().manual_seed(100 + step)
    return {"sample": torch.randn(count, 4, SIZE, SIZE, generator=generator)}


def inputs_of(name: str, step: int, count: int) -> dict[str, Tensor]:
    """Random inputs of a call, as the architecture takes them."""
    labels = {"class_labels": torch.arange(count) % 5} if name == "guided" else {}
    return {**sample_of(step, count), **labels}


def public(name: str) -> ExportedUNet:
    """One of them with weights that spread, as a program of torch.export."""
    torch.manual_seed(0)
    unet = PUBLIC[name]().eval()
    for module in unet.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean, module.running_var = (
                torch.randn(module.num_features) / 4,
                torch.rand(module.num_features) + 0.3,
            )
    example = {**inputs_of(name, 0, 1), "timestep": torch.tensor([500.0])}
    return ExportedUNet(torch.export.export(unet, (), example, strict=False))
