"""Adapters of a UNet in every form that tools write, with random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

RANK = 3
Tensors = dict[str, torch.Tensor]


def layers_of(unet: nn.Module) -> dict[str, nn.Module]:
    """Attention's projections, and a convolution: what adapters usually change."""
    ends = ("attn1.to_q", "attn2.to_v", "attn1.to_out.0", "ff.net.2", "resnets.0.conv1", "proj_in")
    return {name: one for name, one in unet.named_modules() if name.endswith(ends)}


def low_rank(unet: nn.Module, rank: int = RANK) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """For each layer, down and up of LoRA."""
    generator = torch.Generator().manual_seed(1)
    found = {}
    for name, layer in layers_of(unet).items():
        weight: Any = layer.weight
        ones = [1] * (weight.dim() - 2)
        down = 0.1 * torch.randn(rank, *weight.shape[1:], generator=generator)
        found[name] = down, 0.1 * torch.randn(weight.shape[0], rank, *ones, generator=generator)
    return found


def changed(unet: nn.Module, factor: float) -> Tensors:
    """The weights that LoRA leads to, by its formula, where each product counts so much."""
    expected = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    for name, (down, up) in low_rank(unet).items():
        weight = expected[f"{name}.weight"]
        weight += factor * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
    return expected


def kohya(unet: nn.Module, names: Callable[[str], str] = lambda name: name) -> Tensors:
    """As kohya's scripts write it: underscores, and an alpha of 6 for each layer."""
    found = {}
    for name, (down, up) in low_rank(unet).items():
        flat = f"lora_unet_{names(name).replace('.', '_')}"
        found |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
        found[f"{flat}.alpha"] = torch.tensor(6.0)
    return found


def dotted(unet: nn.Module, begin: str, down_end: str, up_end: str) -> Tensors:
    """As tools write it that keep dots."""
    found = {}
    for name, (down, up) in low_rank(unet).items():
        found |= {f"{begin}{name}{down_end}": down, f"{begin}{name}{up_end}": up}
    return found


def processors(unet: nn.Module) -> Tensors:
    """As diffusers' first attention processors were saved: projections of attention alone."""
    found = {}
    for name, (down, up) in low_rank(unet).items():
        if ".attn" in name:
            block, _, layer = name.removesuffix(".0").rpartition(".")
            found |= {f"{block}.processor.{layer}_lora.down.weight": down}
            found |= {f"{block}.processor.{layer}_lora.up.weight": up}
    return found
