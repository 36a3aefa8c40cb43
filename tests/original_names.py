"""A diffusers UNet's weights under the names that CompVis gives them."""

from __future__ import annotations

import re
from typing import Any

import torch

ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "time_embedding.cond_proj": "time_embed.cond_proj",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    "class_embedding": "label_emb",
}
RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def original_names(unet: Any, prefix: str = "model.diffusion_model.") -> dict[str, torch.Tensor]:
    """The state dict as an original checkpoint has it."""
    layers = unet.config.layers_per_block
    return _placed({prefix + _original(name, layers): tensor for name, tensor in unet.state_dict().items()})


def averaged_names(unet: Any) -> dict[str, torch.Tensor]:
    """The state dict as such a checkpoint has its averaged copy."""
    named = original_names(unet, "diffusion_model.")
    return {"model_ema." + name.replace(".", ""): tensor for name, tensor in named.items()}


def _original(name: str, layers: int) -> str:
    path, _, leaf = name.rpartition(".")
    if path in ENDS:
        return f"{ENDS[path]}.{leaf}"
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name):
        kind, index, rest = found[1], int(found[2]), found[3]
        return f"middle_block.{1 if kind == 'attentions' else 2 * index}.{_inside(kind, rest)}"
    found = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name)
    assert found, name
    way, block, kind, index, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if way == "down":
        place = block * (layers + 1) + 1 + (layers if kind == "downsamplers" else index)
        inner = "0.op." + rest.removeprefix("conv.") if kind == "downsamplers" else None
        return f"input_blocks.{place}." + (inner or f"{int(kind == 'attentions')}.{_inside(kind, rest)}")
    place = block * (layers + 1) + (layers if kind == "upsamplers" else index)
    if kind == "upsamplers":
        return f"output_blocks.{place}.{{last}}.{rest}"
    return f"output_blocks.{place}.{int(kind == 'attentions')}.{_inside(kind, rest)}"


def _inside(kind: str, rest: str) -> str:
    if kind != "resnets":
        return rest
    first, _, leaf = rest.partition(".")
    return f"{RESIDUAL[first]}.{leaf}"


def _placed(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Upsampling comes after a block's attention where it has one."""
    found = {}
    for name, tensor in weights.items():
        block = name.partition(".{last}.")[0]
        attends = any(other.startswith(f"{block}.1.") for other in weights)
        found[name.replace("{last}", "2" if attends else "1")] = tensor
    return found
