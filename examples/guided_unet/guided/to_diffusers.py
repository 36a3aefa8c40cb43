"""The same network as a stock `UNet2DModel` of diffusers: for pipelines, and to compare with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import diffusers
import torch

from .model import AttentionBlock, GuidedUNet, ResidualBlock

_diffusers: Any = diffusers  # its annotations are partial, so calls into it go unchecked
RESIDUAL = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
"""Layers of a residual block, there and in diffusers."""


def to_diffusers(unet: GuidedUNet, size: int) -> Any:
    """A `UNet2DModel` in evaluation mode that answers as the network does. size: of pictures' sides."""
    config, levels = unet.config, range(len(unet.config.channels))
    down = ["AttnDownBlock2D" if one in config.attention else "ResnetDownsampleBlock2D" for one in levels]
    up = ["AttnUpBlock2D" if one in config.attention else "ResnetUpsampleBlock2D" for one in reversed(levels)]
    found = _diffusers.UNet2DModel(
        sample_size=size,
        in_channels=config.pictures[0],
        out_channels=config.pictures[1],
        block_out_channels=config.channels,
        down_block_types=down,
        up_block_types=up,
        layers_per_block=config.blocks,
        downsample_type="resnet",
        upsample_type="resnet",
        resnet_time_scale_shift="scale_shift",
        attention_head_dim=config.head,
        norm_num_groups=config.groups,
        attn_norm_num_groups=config.groups,
        num_class_embeds=config.classes or None,
    )
    found.load_state_dict(dict(_weights(unet)))
    return found.eval()


def _weights(unet: GuidedUNet) -> Iterator[tuple[str, torch.Tensor]]:
    """All weights by diffusers' names."""
    state = unet.state_dict()
    ends = {
        "time_embed.0": "time_embedding.linear_1",
        "time_embed.2": "time_embedding.linear_2",
        "label_emb": "class_embedding",
        "input_blocks.0.0": "conv_in",
        "out.0": "conv_norm_out",
        "out.2": "conv_out",
    }
    for source, target in [*ends.items(), *_residual_layers(unet)]:
        for kind in ("weight", "bias"):
            if f"{source}.{kind}" in state:
                yield f"{target}.{kind}", state[f"{source}.{kind}"]
    for source, target in _places(unet):
        block = unet.get_submodule(source)
        if isinstance(block, AttentionBlock):
            yield from _attention(block, target)


def _residual_layers(unet: GuidedUNet) -> Iterator[tuple[str, str]]:
    for source, target in _places(unet):
        if isinstance(unet.get_submodule(source), ResidualBlock):
            yield from ((f"{source}.{ours}", f"{target}.{theirs}") for ours, theirs in RESIDUAL.items())


def _places(unet: GuidedUNet) -> Iterator[tuple[str, str]]:
    """Each block's path here and in diffusers."""
    yield from (("middle_block.0", "mid_block.resnets.0"), ("middle_block.2", "mid_block.resnets.1"))
    yield "middle_block.1", "mid_block.attentions.0"
    each = unet.config.blocks
    for way, first, count in (("input", 1, each + 1), ("output", 0, each + 1)):
        for index, stage in enumerate(getattr(unet, f"{way}_blocks")):
            level, place = divmod(index - first, count)
            begin = f"{'down' if way == 'input' else 'up'}_blocks.{level}"
            for position, layer in enumerate(stage):
                resizes = isinstance(layer, ResidualBlock) and layer.resize != 1
                kind = "attentions" if isinstance(layer, AttentionBlock) else "resnets"
                target = f"{'down' if way == 'input' else 'up'}samplers.0" if resizes else f"{kind}.{place}"
                if index >= first:
                    yield f"{way}_blocks.{index}.{position}", f"{begin}.{target}"


def _attention(block: AttentionBlock, target: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Norm and projections; queries, keys and values apart."""
    for kind in ("weight", "bias"):
        yield f"{target}.group_norm.{kind}", getattr(block.norm, kind)
        yield f"{target}.to_out.0.{kind}", _matrix(getattr(block.proj_out, kind))
        mixed = _matrix(getattr(block.qkv, kind))
        if block.heads_first:
            mixed = mixed.unflatten(0, (block.heads, 3, -1)).transpose(0, 1).flatten(0, 2)
        for one, part in zip("qkv", mixed.chunk(3), strict=True):
            yield f"{target}.to_{one}.{kind}", part


def _matrix(value: torch.Tensor) -> torch.Tensor:
    """A convolution's weight of one tap as a linear layer's."""
    return value[..., 0] if value.dim() == 3 else value
