"""Small convolutional UNets written from their papers, in plain torch, as their authors' code computes."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

Tensor = torch.Tensor


def sinusoid(timestep: Tensor, width: int) -> Tensor:
    """Sines and cosines of a timestep, (1, width)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half) / half)
    angles = timestep.reshape(-1, 1) * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class GuidedBlock(nn.Module):
    """A residual block with scale and shift by the embedding (Dhariwal and Nichol, 2021)."""

    def __init__(self, inside: int, outside: int, width: int, resize: str = "") -> None:
        super().__init__()
        self.resize = resize
        self.into = nn.Sequential(nn.GroupNorm(4, inside), nn.SiLU())
        self.first = nn.Conv2d(inside, outside, 3, padding=1)
        self.embedding = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * outside))
        self.norm = nn.GroupNorm(4, outside)
        self.second = nn.Conv2d(outside, outside, 3, padding=1)
        self.skip = nn.Identity() if inside == outside else nn.Conv2d(inside, outside, 1)

    def resized(self, x: Tensor) -> Tensor:
        if self.resize == "down":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.resize == "up" else x

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.first(self.resized(self.into(x)))
        scale, shift = self.embedding(embedding)[..., None, None].chunk(2, dim=1)
        h = self.norm(h) * (1 + scale) + shift
        output: Tensor = self.skip(self.resized(x)) + self.second(F.silu(h))
        return output


class GuidedAttention(nn.Module):
    """Attention by einsum, heads folded into the batch, both sides scaled."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.out = nn.GroupNorm(4, channels), nn.Conv1d(channels, channels, 1)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, *spatial = x.shape
        flat = x.reshape(batch, channels, -1)
        qkv = self.qkv(self.norm(flat)).reshape(batch * self.heads, -1, flat.shape[-1])
        q, k, v = qkv.split(channels // self.heads, dim=1)
        scale = 1 / math.sqrt(math.sqrt(channels // self.heads))
        weight = torch.einsum("bct,bcs->bts", q * scale, k * scale)
        weight = torch.softmax(weight.float(), dim=-1).type(weight.dtype)
        mixed = torch.einsum("bts,bcs->bct", weight, v).reshape(batch, -1, flat.shape[-1])
        return (flat + self.out(mixed)).reshape(batch, channels, *spatial)


class Guided(nn.Module):
    """Guided diffusion's UNet, with class labels."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 32))
        self.label = nn.Embedding(5, 32)
        self.first = nn.Conv2d(4, 16, 3, padding=1)
        self.level, self.down = GuidedBlock(16, 16, 32), GuidedBlock(16, 16, 32, "down")
        self.middle, self.attention = GuidedBlock(16, 24, 32), GuidedAttention(24, 2)
        self.up, self.last = GuidedBlock(24, 24, 32, "up"), GuidedBlock(40, 16, 32)
        self.out = nn.Sequential(nn.GroupNorm(4, 16), nn.SiLU(), nn.Conv2d(16, 4, 3, padding=1))

    def forward(self, sample: Tensor, timestep: Tensor, class_labels: Tensor) -> Tensor:
        embedding = self.time(sinusoid(timestep, 16)) + self.label(class_labels)
        skip = self.level(self.first(sample), embedding)
        h = self.attention(self.middle(self.down(skip, embedding), embedding))
        h = self.last(torch.cat([self.up(h, embedding), skip], dim=1), embedding)
        output: Tensor = self.out(h)
        return output


class Blurred(nn.Module):
    """Half or twice the size through a fixed filter, edges mirrored (k-diffusion)."""

    def __init__(self, channels: int, up: bool) -> None:
        super().__init__()
        self.up = up
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8 * (2 if up else 1)
        weight = torch.zeros(channels, channels, 4, 4)
        weight[range(channels), range(channels)] = taps[:, None] * taps[None]
        self.register_buffer("weight", weight)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1,) * 4, "reflect")
        if self.up:
            return F.conv_transpose2d(x, self.weight, stride=2, padding=3)
        return F.conv2d(x, self.weight, stride=2)


class Crowson(nn.Module):
    """k-diffusion's first UNet: Fourier features of the noise level, adaptive norms, GELU, fixed filters."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(1, 8))
        self.map = nn.Sequential(nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 24), nn.GELU())
        self.first, self.scale = nn.Conv2d(4, 16, 1), nn.Linear(24, 32)
        self.second, self.third = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.down, self.up = Blurred(16, False), Blurred(16, True)
        self.qkv, self.attended = nn.Conv2d(16, 48, 1), nn.Conv2d(16, 16, 1)
        self.last = nn.Conv2d(32, 4, 1)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        angles = 2 * math.pi * torch.log(timestep + 1).reshape(-1, 1) @ self.frequencies
        condition = self.map(torch.cat([angles.cos(), angles.sin()], dim=-1))
        x = self.first(sample)
        weight, bias = self.scale(condition)[..., None, None].chunk(2, dim=-3)
        h = torch.addcmul(bias, F.group_norm(x, 1), weight + 1)
        skip = x + self.third(F.gelu(self.second(F.gelu(h))))
        low = self.down(skip)
        n, c, height, width = low.shape
        q, k, v = (
            self.qkv(F.group_norm(low, 1)).view(n, 6, c // 2, height * width).transpose(2, 3).chunk(3, dim=1)
        )
        weights = (q @ k.transpose(2, 3) * (c // 2) ** -0.5).softmax(3)
        low = low + self.attended((weights @ v).transpose(2, 3).contiguous().view(n, c, height, width))
        output: Tensor = self.last(torch.cat([self.up(low), skip], dim=1))
        return output


class RootNorm(nn.Module):
    """RMSNorm over channels as F.normalize."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.rand(1, channels, 1, 1) + 0.5)
        self.scale = channels**0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=1) * self.g * self.scale


class Wang(nn.Module):
    """denoising-diffusion-pytorch's UNet: root norms, linear attention, memory tokens, pixels to channels."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 32))
        self.first, self.block, self.norm = (
            nn.Conv2d(4, 16, 7, padding=3),
            nn.Conv2d(16, 16, 3, padding=1),
            RootNorm(16),
        )
        self.scale = nn.Linear(32, 32)
        self.linear_norm, self.linear_qkv = RootNorm(16), nn.Conv2d(16, 48, 1, bias=False)
        self.linear_out = nn.Sequential(nn.Conv2d(16, 16, 1), RootNorm(16))
        self.down, self.up = nn.Conv2d(64, 16, 1), nn.Conv2d(16, 16, 3, padding=1)
        self.memory, self.qkv, self.out = (
            nn.Parameter(torch.randn(2, 2, 4, 8)),
            nn.Conv2d(16, 48, 1),
            nn.Conv2d(16, 16, 1),
        )
        self.last = nn.Conv2d(32, 4, 1)

    def linear(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = (
            t.reshape(b, 2, c // 2, h * w) for t in self.linear_qkv(self.linear_norm(x)).chunk(3, dim=1)
        )
        context = torch.einsum("b h d n, b h e n -> b h d e", k.softmax(dim=-1), v)
        mixed = torch.einsum("b h d e, b h d n -> b h e n", context, q.softmax(dim=-2) * (c // 2) ** -0.5)
        output: Tensor = self.linear_out(mixed.reshape(b, c, h, w))
        return output

    def full(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = (t.reshape(b, 2, c // 2, h * w).transpose(2, 3) for t in self.qkv(x).chunk(3, dim=1))
        memory_k, memory_v = (m.expand(b, -1, -1, -1) for m in self.memory)
        k, v = torch.cat([memory_k, k], dim=-2), torch.cat([memory_v, v], dim=-2)
        mixed = F.scaled_dot_product_attention(q, k, v)
        output: Tensor = self.out(mixed.transpose(2, 3).reshape(b, c, h, w))
        return output

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        x = self.first(sample)
        scale, shift = self.scale(F.silu(self.time(sinusoid(timestep, 16))))[:, :, None, None].chunk(2, dim=1)
        x = x + F.silu(self.norm(self.block(x)) * (scale + 1) + shift)
        skip = x + self.linear(x)
        b, c, h, w = skip.shape
        pixels = (
            skip.reshape(b, c, h // 2, 2, w // 2, 2)
            .permute(0, 1, 3, 5, 2, 4)
            .reshape(b, 4 * c, h // 2, w // 2)
        )
        low = self.down(pixels)
        low = low + self.full(low)
        x = self.up(F.interpolate(low, scale_factor=2, mode="nearest"))
        output: Tensor = self.last(torch.cat([x, skip], dim=1))
        return output


class Inverted(nn.Module):
    """MobileNet's inverted residual: wide, depthwise, channels gated, narrow (Howard et al., 2019)."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        wide = 3 * channels
        self.wide = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.Hardswish()
        )
        depthwise = nn.Conv2d(wide, wide, 5, stride, padding=2, groups=wide, bias=False)
        self.depthwise = nn.Sequential(depthwise, nn.BatchNorm2d(wide), nn.Hardswish())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 8, 1), nn.ReLU(), nn.Conv2d(8, wide, 1), nn.Hardsigmoid()
        )
        self.narrow = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        h = self.depthwise(self.wide(x))
        h = self.narrow(h * self.gate(h))
        return x + h if self.stride == 1 else h


class Mobile(nn.Module):
    """A UNet of inverted residuals; bilinear on the way up, Mish in the time embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, 24), nn.Mish(), nn.Linear(24, 12))
        self.first, self.block, self.down = nn.Conv2d(4, 12, 3, padding=1), Inverted(12), Inverted(12, 2)
        self.middle, self.last = Inverted(12), nn.Conv2d(24, 4, 3, padding=1)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        x = self.first(sample) + self.time(sinusoid(timestep, 16))[:, :, None, None]
        skip = self.block(x)
        low = self.middle(self.down(skip))
        up = F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        output: Tensor = self.last(torch.cat([up, skip], dim=1))
        return output


class Panorama(nn.Module):
    """A UNet for pictures that close to a circle: circular padding, ELU, maxima, transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        around = {"padding": 1, "padding_mode": "circular"}
        self.first, self.second = nn.Conv2d(4, 12, 3, **around), nn.Conv2d(12, 16, 3, **around)
        self.middle = nn.Conv2d(16, 16, 3, dilation=2, padding=2, padding_mode="circular")
        self.up, self.last = nn.ConvTranspose2d(16, 12, 4, 2, 1), nn.Conv2d(24, 4, 3, **around)
        self.time = nn.Linear(16, 12)
        self.norm, self.slope = nn.InstanceNorm2d(16, affine=True), nn.PReLU(16, 0.1)

    def forward(self, sample: Tensor, timestep: Tensor) -> Tensor:
        x = F.elu(self.first(sample) + self.time(sinusoid(timestep, 16))[:, :, None, None])
        low = self.slope(self.norm(self.second(F.max_pool2d(x, 2))))
        low = low + F.leaky_relu(self.middle(low), 0.2)
        output: Tensor = self.last(torch.cat([self.up(low), x], dim=1))
        return output
