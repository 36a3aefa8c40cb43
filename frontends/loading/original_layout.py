"""Checkpoints as Stable Diffusion's authors publish them: all parts in one file, under CompVis' names.

No config lies beside such a file. What the UNet looks like follows from the names and shapes of its weights,
so any size is understood, published or not; diffusers' own converter then renames them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

from ...ir.errors import DgqcError
from .foreign_weights import foreign_kind
from .guidance import KEY
from .original_facts import (
    MARKS,
    NOISE,
    NOTHING_SAID,
    TERMINAL,
    Said,
    by_noise_level,
    parts_beside,
    predicted,
)
from .original_text import TextPart, text_parts
from .quantized_weights import dequantized

PREFIX = "model.diffusion_model."
"""What the names of the UNet's weights begin with; some tools leave it out."""
AVERAGED = "model_ema."
"""What those of its averaged copy begin with; their other dots are left out."""
FIRST, LABELS, PROJECTED = "input_blocks.0.0.weight", "label_emb.weight", "label_emb.0.0.weight"
GUIDANCE, OUR_GUIDANCE = "time_embed.cond_proj.weight", "time_embedding.cond_proj.weight"
"""Of the guidance scale, in a latent consistency model; diffusers' converter doesn't know it."""
BLOCK = re.compile(r"\b(input_blocks|middle_block|output_blocks)\.", re.ASCII)
HEAD = 64
"""Channels of an attention head, in models whose projections are linear; the others have eight heads."""
HEADS = 8
TIME_ID_WIDTH = 256
"""Sinusoids for each of SDXL's time ids."""
OPENCLIP_CONTEXT = 1024
"""Width of Stable Diffusion 2's contexts, where a projected label is a picture's embedding, not time ids."""
STABLE_DIFFUSION = {
    "_class_name": "DDIMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
CONSISTENCY = {**STABLE_DIFFUSION, "_class_name": "LCMScheduler"}
SDXL = {
    "_class_name": "EulerDiscreteScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
}


@dataclass(frozen=True)
class Original:
    """A UNet out of such a file.

    config: as diffusers has it. weights: by diffusers' names. scheduler: what diffusers runs such a file
    with. others: whether the file holds averaged weights, too. beside: what else it holds, texts: its text
    encoders. unsure: whether it doesn't say what the UNet predicts.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, torch.Tensor]
    scheduler: Mapping[str, Any]
    others: bool
    beside: Sequence[str]
    texts: tuple[TextPart, ...]
    unsure: bool


@dataclass(frozen=True)
class _Level:
    """Residual blocks at one resolution: how many channels they give, and each one's transformer layers."""

    channels: int
    depths: tuple[int, ...]


def is_original(weights: Mapping[str, Any]) -> bool:
    """Whether these are named as CompVis names them."""
    return f"{PREFIX}{FIRST}" in weights or FIRST in weights


def from_original(
    weights: Mapping[str, Any], source: str, said: Said = NOTHING_SAID, averaged: bool = False
) -> Original:
    """The UNet in a file of the original layout. averaged: take the averaged copy (`model_ema.`).

    said: what the file says of itself.
    Raises DgqcError where there is none, or where the blocks are none of a UNet that diffusers has.
    """
    own = dequantized(dict(_unet(weights)), source)
    if kind := foreign_kind(name.removeprefix(PREFIX) for name in own if BLOCK.search(name)):
        raise DgqcError(f"{source} holds {kind}.")
    plain = {name if name.startswith(PREFIX) else PREFIX + name: tensor for name, tensor in own.items()}
    copies = {name: f"{AVERAGED}{name.removeprefix('model.').replace('.', '')}" for name in plain}
    others = all(copy in weights for copy in copies.values())
    if averaged and not others:
        raise DgqcError(f"{source} holds no averaged weights ({AVERAGED}*); leave out --weights-key.")
    chosen = {name: weights[copy] for name, copy in copies.items()} if averaged else plain
    config = _config({name.removeprefix(PREFIX): tensor for name, tensor in chosen.items()}, source)
    second = bool(config.get("use_linear_projection")) and not config.get("addition_embed_type")
    predicts = predicted(weights, said, second)
    scheduler = by_noise_level(weights, source) or {
        **_usual_scheduler(config),
        "prediction_type": predicts or NOISE,
        **({"rescale_betas_zero_snr": True} if TERMINAL in weights else {}),
    }
    if config.get("use_linear_projection"):
        chosen = {name: _without_pixels(name, tensor) for name, tensor in chosen.items()}
    converted = convert_ldm_unet_checkpoint(dict(chosen), config)
    if KEY in config:
        converted[OUR_GUIDANCE] = chosen[f"{PREFIX}{GUIDANCE}"]
    taken = {id(tensor) for tensor in converted.values()}
    if left := next((name for name, tensor in chosen.items() if id(tensor) not in taken), None):
        raise DgqcError(
            f"{source} holds {left}, for which diffusers' UNet has no place; give a diffusers folder instead."
        )
    beside, texts = parts_beside(weights), tuple(text_parts([*weights]))
    return Original(config, converted, scheduler, others, beside, texts, predicts is None)


def _unet(weights: Mapping[str, Any]) -> list[tuple[str, torch.Tensor]]:
    """The UNet's weights alone: a file may hold a text encoder, a decoder and a trainer's numbers beside."""
    prefix = PREFIX if f"{PREFIX}{FIRST}" in weights else ""
    found = [(name, tensor) for name, tensor in weights.items() if name.startswith(prefix)]
    return [(name, tensor) for name, tensor in found if name not in MARKS]


def _config(weights: Mapping[str, torch.Tensor], source: str) -> dict[str, Any]:
    """The config that diffusers gives such a UNet."""
    down, up = _levels(weights), _up_levels(weights)
    layers = len(down[0].depths)
    if any(len(level.depths) != layers for level in down) or len(up) != len(down) * (layers + 1):
        counts = "+".join(str(len(level.depths)) for level in down)
        raise DgqcError(
            f"{source} holds {counts} blocks on the way down and {len(up)} on the way up, which no UNet of "
            "diffusers has; give a diffusers folder instead."
        )
    reverse = [tuple(up[place : place + layers + 1]) for place in range(0, len(up), layers + 1)]
    middle = _depth(weights, "middle_block.1")
    channels = [level.channels for level in down]
    config = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": weights[FIRST].shape[1],
        "out_channels": weights["out.2.weight"].shape[0],
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": [_block("Down", level.depths) for level in down],
        "up_block_types": [_block("Up", depths) for depths in reverse],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
        **_transformers(down, reverse, middle),
        **_attention(weights, channels),
        **_labels(weights),
        **({KEY: weights[GUIDANCE].shape[1]} if GUIDANCE in weights else {}),
    }
    config["sample_size"] = 128 if config.get("addition_embed_type") else 64
    return config


def _usual_scheduler(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Who calls such a UNet where its file doesn't say."""
    if KEY in config:
        return CONSISTENCY
    return SDXL if config.get("addition_embed_type") else STABLE_DIFFUSION


def _levels(weights: Mapping[str, torch.Tensor]) -> list[_Level]:
    """The resolutions on the way down; each but the last ends with a strided convolution."""
    found: list[_Level] = []
    channels, depths = 0, list[int]()
    for index in range(1, _count(weights, "input_blocks")):
        if f"input_blocks.{index}.0.op.weight" in weights:
            found.append(_Level(channels, tuple(depths)))
            depths = []
            continue
        channels = weights[f"input_blocks.{index}.0.out_layers.3.weight"].shape[0]
        depths.append(_depth(weights, f"input_blocks.{index}.1"))
    return [*found, _Level(channels, tuple(depths))]


def _up_levels(weights: Mapping[str, torch.Tensor]) -> list[int]:
    """Transformer layers of each residual block on the way up."""
    return [_depth(weights, f"output_blocks.{i}.1") for i in range(_count(weights, "output_blocks"))]


def _count(weights: Mapping[str, torch.Tensor], blocks: str) -> int:
    found = (re.match(rf"{blocks}\.(\d+)\.", name) for name in weights)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _depth(weights: Mapping[str, torch.Tensor], place: str) -> int:
    """How many transformer layers stand at a place."""
    found = (re.match(rf"{re.escape(place)}\.transformer_blocks\.(\d+)\.", name) for name in weights)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _block(way: str, depths: tuple[int, ...]) -> str:
    return f"{'CrossAttn' if any(depths) else ''}{way}Block2D"


def _transformers(down: list[_Level], reverse: list[tuple[int, ...]], middle: int) -> dict[str, Any]:
    """Transformer layers of each resolution; the way up says its own where it doesn't mirror them."""
    plain = [max(level.depths) for level in down]
    alike = all(set(level.depths) == {most} for level, most in zip(down, plain, strict=True))
    mirrored = all(set(depths) == {most} for depths, most in zip(reverse, plain[::-1], strict=True))
    if alike and mirrored and middle in (0, plain[-1] or 1):
        # A resolution without attention says 1, as published configs do.
        return {"transformer_layers_per_block": [most or 1 for most in plain]}
    return {
        "transformer_layers_per_block": [*(list(level.depths) for level in down[:-1]), list(down[-1].depths)],
        "reverse_transformer_layers_per_block": [list(depths) for depths in reverse],
    }


def _attention(weights: Mapping[str, torch.Tensor], channels: list[int]) -> dict[str, Any]:
    """Contexts and heads. The number of heads stands nowhere: it goes by the kind of projection."""
    keys = [name for name in weights if name.endswith("attn2.to_k.weight")]
    if not keys:
        return {}
    place = keys[0].partition(".transformer_blocks.")[0]
    context = weights[keys[0]].shape[1]
    linear = _is_linear(weights, weights[f"{place}.proj_in.weight"], context)
    return {
        "cross_attention_dim": context,
        "only_cross_attention": [_reads_context_alone(weights, width, context) for width in channels],
        "use_linear_projection": linear,
        "attention_head_dim": [max(1, width // HEAD) for width in channels] if linear else HEADS,
    }


def _is_linear(weights: Mapping[str, torch.Tensor], projection: torch.Tensor, context: int) -> bool:
    """Whether a UNet's projections are linear. context: numbers of a token.

    stable-diffusion.cpp writes them as kernels of one pixel; those of Stable Diffusion 2 and SDXL are linear
    in every published file.
    """
    return projection.dim() == 2 or context == OPENCLIP_CONTEXT or PROJECTED in weights


def _without_pixels(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The matrix in a linear projection that was written as a kernel; whatever else as it is."""
    kernel = name.endswith((".proj_in.weight", ".proj_out.weight")) and tensor.shape[2:] == (1, 1)
    return tensor[..., 0, 0] if kernel else tensor


def _reads_context_alone(weights: Mapping[str, torch.Tensor], width: int, context: int) -> bool:
    """Whether the first attention of each layer at a resolution reads contexts, as the upscaler's do."""
    sizes = {tuple(tensor.shape) for name, tensor in weights.items() if name.endswith("attn1.to_k.weight")}
    return width != context and (width, context) in sizes


def _labels(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """What else the model is conditioned on: a table of noise levels, a picture's embedding, or time ids."""
    if LABELS in weights:
        return {"num_class_embeds": weights[LABELS].shape[0]}
    if PROJECTED not in weights:
        return {}
    width = weights[PROJECTED].shape[1]
    keys = next(tensor for name, tensor in weights.items() if name.endswith("attn2.to_k.weight"))
    if keys.shape[1] == OPENCLIP_CONTEXT:
        return {"class_embed_type": "projection", "projection_class_embeddings_input_dim": width}
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_ID_WIDTH,
        "projection_class_embeddings_input_dim": width,
    }
