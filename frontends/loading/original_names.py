"""What CompVis calls a diffusers UNet's layers, in checkpoints of one file and in adapters for them."""

from __future__ import annotations

import re
from collections.abc import Mapping

ENDS: Mapping[str, str] = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    "class_embedding": "label_emb",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
"""Layers outside of blocks."""
RESIDUAL: Mapping[str, str] = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
"""Layers of a residual block."""
BLOCK = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", re.ASCII
)
MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.(.+)", re.ASCII)


def original_names(layer: str, layers_per_block: int) -> tuple[str, ...]:
    """What a layer is called there; none where that layout has no such layer.

    An upsampling layer has two names, with attention before it and without.
    """
    if layer in ENDS:
        return (ENDS[layer],)
    if found := MIDDLE.fullmatch(layer):
        kind, index, rest = found[1], int(found[2]), found[3]
        place = 2 * index if kind == "resnets" else 2 * index + 1
        return (f"middle_block.{place}.{_inside(kind, rest)}",)
    found = BLOCK.fullmatch(layer)
    if found is None:
        return ()
    block, kind, index, rest = int(found[2]), found[3], int(found[4]), found[5]
    down = found[1] == "down"
    last = kind in ("downsamplers", "upsamplers")
    place = block * (layers_per_block + 1) + (layers_per_block if last else index) + down
    if kind == "downsamplers":
        return (f"input_blocks.{place}.0.op",)
    if kind == "upsamplers":
        return (f"output_blocks.{place}.1.{rest}", f"output_blocks.{place}.2.{rest}")
    blocks = "input_blocks" if down else "output_blocks"
    return (f"{blocks}.{place}.{int(kind == 'attentions')}.{_inside(kind, rest)}",)


def _inside(kind: str, rest: str) -> str:
    return RESIDUAL.get(rest, rest) if kind == "resnets" else rest
