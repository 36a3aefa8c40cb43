"""GGUF files as other tools write them: which tensors, under which names, in blocks of which shape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

Tensors = dict[str, torch.Tensor]
BLOCK, ROW, FEW = 32, 256, 1024
"""Numbers of a block; of a row where a tensor was laid out anew; below so many a tensor stays float."""
PREFIX = "model.diffusion_model."
CLIP, SECOND = "cond_stage_model.transformer.text_model.", "cond_stage_model.1.transformer.text_model."
OPEN_LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
OPEN = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
    "text_projection": "text_projection",
}
"""OpenCLIP's words and those that stable-diffusion.cpp has for them."""


def unet_alone(tensors: Tensors, path: Path) -> Tensors:
    """As ComfyUI's node has them: the UNet without a prefix; odd rows laid out anew, their shape beside."""
    own = {name.removeprefix(PREFIX): one for name, one in tensors.items() if name.startswith(PREFIX)}
    written = _written(own, path, anew=True)
    return {PREFIX + name: one for name, one in written.items()}


def whole(tensors: Tensors, path: Path) -> Tensors:
    """As stable-diffusion.cpp converted files for two years: all parts, OpenCLIP's under transformers' names
    with queries, keys and values apart; linear projections of the UNet as kernels of one pixel."""
    found: Tensors = {}
    for name, one in tensors.items():
        if not one.is_floating_point() or one.dim() == 0 or name == "betas":
            continue
        if name.startswith("conditioner.embedders.0.transformer.text_model."):
            found[CLIP + name.removeprefix("conditioner.embedders.0.transformer.text_model.")] = one
        elif name.startswith("conditioner.embedders.1.model."):
            found |= {SECOND + key: value for key, value in _open(name.split(".model.", 1)[1], one).items()}
        elif name.startswith("cond_stage_model.model."):
            found |= {CLIP + key: value for key, value in _open(name.split(".model.", 1)[1], one).items()}
        elif re.search(r"proj_(in|out)\.weight$", name) and name.startswith(PREFIX) and one.dim() == 2:
            found[name] = one[..., None, None]
        else:
            found[name] = one
    written = _written(found, path, anew=False)
    return {name: one.reshape(tensors[name].shape) for name, one in written.items() if name in tensors}


def _open(name: str, tensor: torch.Tensor) -> Tensors:
    if name in OPEN:
        return {OPEN[name]: tensor}
    found = re.fullmatch(r"transformer\.resblocks\.(\d+)\.(.+)", name)
    assert found, name
    layer, inside = f"encoder.layers.{found[1]}", found[2]
    if inside.startswith("attn.in_proj_"):
        kind = inside.removeprefix("attn.in_proj_")
        parts = zip("qkv", tensor.chunk(3), strict=True)
        return {f"{layer}.self_attn.{one}_proj.{kind}": part.contiguous() for one, part in parts}
    module, _, kind = inside.rpartition(".")
    return {f"{layer}.{OPEN_LAYERS[module]}.{kind}": tensor}


def _written(tensors: Tensors, path: Path, anew: bool) -> Tensors:
    """Writes blocks of eight bits. Returns what they stand for."""
    import gguf

    anything: Any = gguf
    writer = anything.GGUFWriter(path, "sdxl")
    kind, found = anything.GGMLQuantizationType.Q8_0, Tensors()
    for name, one in tensors.items():
        values = one.float().numpy()
        odd = anew and values.ndim > 1 and values.size % ROW == 0 and values.shape[-1] % ROW
        if odd and values.size >= FEW // 2:
            writer.add_array(f"comfy.gguf.orig_shape.{name}", [int(size) for size in values.shape])
            values = values.reshape(-1, ROW)
        if values.ndim < 2 or values.size <= FEW or values.shape[-1] % BLOCK:
            writer.add_tensor(name, values)
            found[name] = torch.from_numpy(values.copy()).reshape(one.shape)
            continue
        packed = anything.quantize(values, kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
        floats = np.ascontiguousarray(anything.dequantize(packed, kind), dtype=np.float32)
        found[name] = torch.from_numpy(floats).reshape(one.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return found
