"""The network of guided diffusion (Dhariwal and Nichol, 2021), written from the paper and its weights' names.

Residual blocks with scales and shifts by time and class, which also halve and double the picture; attention
of all pixels at some levels; what the way down gives is put beside what the way up has. Layers are called as
in the published code, so weights that were trained with it load here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

Tensor = torch.Tensor
LONGEST_PERIOD = 10_000.0


@dataclass(frozen=True)
class GuidedConfig:
    """Sizes of a network.

    pictures: channels in, and out. channels: of each level, the finest first. blocks: a level. attention:
    levels that have it. head: channels of one. classes: 0 for a network without them. groups: of each norm.
    heads_first: whether queries, keys and values lie head by head, as in the first published models.
    """

    pictures: tuple[int, int] = (3, 3)
    channels: tuple[int, ...] = (64, 128)
    blocks: int = 2
    attention: tuple[int, ...] = (1,)
    head: int = 32
    classes: int = 0
    groups: int = 32
    heads_first: bool = False

    @property
    def embedding(self) -> int:
        """Numbers of the time's embedding."""
        return 4 * self.channels[0]


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip; `resize` is 2 where the picture doubles, 0.5 where it halves."""

    def __init__(self, config: GuidedConfig, channels: int, out: int, resize: float = 1) -> None:
        super().__init__()
        self.resize = resize
        self.in_layers = nn.Sequential(
            nn.GroupNorm(config.groups, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(config.embedding, 2 * out))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(config.groups, out), nn.SiLU(), nn.Dropout(0.0), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x: (B, C, H, W). embedding: (B, E)."""
        norm, gate, convolution = self.in_layers
        h = convolution(self._resized(gate(norm(x))))
        scale, shift = self.emb_layers(embedding)[:, :, None, None].chunk(2, dim=1)
        norm, *rest = self.out_layers
        h = nn.Sequential(*rest)(norm(h) * (1 + scale) + shift)
        output: Tensor = self.skip_connection(self._resized(x)) + h
        return output

    def _resized(self, x: Tensor) -> Tensor:
        if self.resize == 2:
            return functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return x if self.resize == 1 else functional.avg_pool2d(x, 2)


class AttentionBlock(nn.Module):
    """Attention of all pixels to all pixels."""

    def __init__(self, config: GuidedConfig, channels: int) -> None:
        super().__init__()
        self.heads, self.heads_first = channels // config.head, config.heads_first
        self.norm = nn.GroupNorm(config.groups, channels)
        self.qkv, self.proj_out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x: (B, C, H, W). embedding: not read."""
        batch, channels, height, width = x.shape
        flat = x.reshape(batch, channels, height * width)
        parts = (self.heads, 3, -1) if self.heads_first else (3, self.heads, -1)
        mixed = self.qkv(self.norm(flat)).reshape(batch, *parts, height * width)
        q, k, v = mixed.unbind(2 if self.heads_first else 1)
        scale = (channels // self.heads) ** -0.25
        weights = torch.einsum("bhct,bhcs->bhts", q * scale, k * scale).softmax(dim=-1)
        out = torch.einsum("bhts,bhcs->bhct", weights, v).reshape(batch, channels, height * width)
        return (flat + self.proj_out(out)).reshape(batch, channels, height, width)


class Stage(nn.Sequential):
    """Layers one after another, of which blocks read the embedding."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """As its blocks."""
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResidualBlock | AttentionBlock) else layer(x)
        return x


class GuidedUNet(nn.Module):
    """Noisy pictures (B, C, H, W), timesteps (B,) and, where there are classes, labels int64 (B,)."""

    def __init__(self, config: GuidedConfig) -> None:
        super().__init__()
        self.config, first = config, config.channels[0]
        self.time_embed = nn.Sequential(
            nn.Linear(first, config.embedding), nn.SiLU(), nn.Linear(config.embedding, config.embedding)
        )
        if config.classes:
            self.label_emb = nn.Embedding(config.classes, config.embedding)
        self.input_blocks = nn.ModuleList([Stage(nn.Conv2d(config.pictures[0], first, 3, padding=1))])
        skips = [first, *self._add_way_down()]
        last = config.channels[-1]
        self.middle_block = Stage(
            ResidualBlock(config, last, last), AttentionBlock(config, last), ResidualBlock(config, last, last)
        )
        self.output_blocks = nn.ModuleList()
        self._add_way_up(skips)
        self.out = nn.Sequential(
            nn.GroupNorm(config.groups, first), nn.SiLU(), nn.Conv2d(first, config.pictures[1], 3, padding=1)
        )
        periods = torch.exp(-math.log(LONGEST_PERIOD) * torch.arange(first // 2) / (first // 2))
        self.register_buffer("frequencies", periods, persistent=False)

    def forward(self, sample: Tensor, timestep: Tensor, class_labels: Tensor | None = None) -> Tensor:
        """The names of these arguments are what dgqc knows inputs by."""
        angles = timestep[:, None] * self.frequencies
        embedding = self.time_embed(torch.cat([angles.cos(), angles.sin()], dim=-1))
        if class_labels is not None:
            embedding = embedding + self.label_emb(class_labels)
        skips, h = [], sample
        for stage in self.input_blocks:
            h = stage(h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, skips.pop()], dim=1), embedding)
        output: Tensor = self.out(h)
        return output

    def _attention(self, level: int) -> list[nn.Module]:
        attends = level in self.config.attention
        return [AttentionBlock(self.config, self.config.channels[level])] if attends else []

    def _add_way_down(self) -> list[int]:
        """The channels that each stage gives."""
        config, found, channels = self.config, [], self.config.channels[0]
        for level, width in enumerate(config.channels):
            for _ in range(config.blocks):
                block = ResidualBlock(config, channels, width)
                self.input_blocks.append(Stage(block, *self._attention(level)))
                channels = width
                found.append(channels)
            if level < len(config.channels) - 1:
                self.input_blocks.append(Stage(ResidualBlock(config, channels, channels, resize=0.5)))
                found.append(channels)
        return found

    def _add_way_up(self, skips: list[int]) -> None:
        config, channels = self.config, self.config.channels[-1]
        for level, width in reversed([*enumerate(config.channels)]):
            for index in range(config.blocks + 1):
                layers = [ResidualBlock(config, channels + skips.pop(), width), *self._attention(level)]
                if level and index == config.blocks:
                    layers.append(ResidualBlock(config, width, width, resize=2))
                self.output_blocks.append(Stage(*layers))
                channels = width
