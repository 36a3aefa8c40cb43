"""IP-Adapters about as small as there are, in the published form, and pipelines with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import text_parts
import torch
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

EMBEDDING, HIDDEN, SIDE, FACE = 12, 8, 8, 10
"""Numbers of a picture's embedding, and of each of its patches; pixels that the encoder sees; numbers of
a face's embedding."""
TOKENS, WIDE = 4, 64
"""Tokens of a picture, and numbers of one in a resampler, whose heads have 64 each."""

Tensors = dict[str, torch.Tensor]
Random = Callable[..., torch.Tensor]


def image_encoder() -> Any:
    """CLIP's, of two layers."""
    torch.manual_seed(3)
    sizes = {"hidden_size": HIDDEN, "intermediate_size": HIDDEN, "num_hidden_layers": 2}
    config = CLIPVisionConfig(
        **sizes, num_attention_heads=2, image_size=SIDE, patch_size=4, projection_dim=EMBEDDING
    )
    return CLIPVisionModelWithProjection(config).eval()


def processor() -> Any:
    """Pictures as the encoder takes them."""
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def _random(seed: int) -> Random:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: 0.3 * torch.randn(shape, generator=generator)


def plain_projection(seed: int) -> Tensors:
    """Of the first IP-Adapters: one linear layer."""
    random, width = _random(seed), text_parts.WIDTH
    return {
        "proj.weight": random(TOKENS * width, EMBEDDING),
        "proj.bias": random(TOKENS * width),
        "norm.weight": torch.ones(width),
        "norm.bias": torch.zeros(width),
    }


def resampler(seed: int) -> Tensors:
    """Of IP-Adapter Plus: learned tokens that attend to a picture's patches, four times."""
    random, width = _random(seed), text_parts.WIDTH
    found = {
        "latents": random(1, TOKENS, WIDE),
        "proj_in.weight": random(WIDE, HIDDEN),
        "proj_in.bias": random(WIDE),
        "proj_out.weight": random(width, WIDE),
        "proj_out.bias": random(width),
        "norm_out.weight": torch.ones(width),
        "norm_out.bias": torch.zeros(width),
    }
    for layer in range(4):
        for norm in ("0.norm1", "0.norm2", "1.0"):
            found[f"layers.{layer}.{norm}.weight"] = torch.ones(WIDE)
            found[f"layers.{layer}.{norm}.bias"] = torch.zeros(WIDE)
        found[f"layers.{layer}.0.to_q.weight"] = random(WIDE, WIDE)
        found[f"layers.{layer}.0.to_kv.weight"] = random(2 * WIDE, WIDE)
        found[f"layers.{layer}.0.to_out.weight"] = random(WIDE, WIDE)
        found[f"layers.{layer}.1.1.weight"] = random(4 * WIDE, WIDE)
        found[f"layers.{layer}.1.3.weight"] = random(WIDE, 4 * WIDE)
    return found


def patches_projection(seed: int) -> Tensors:
    """Of IP-Adapter Full Face: a network that reads each patch."""
    random, width = _random(seed), text_parts.WIDTH
    return {
        "proj.0.weight": random(HIDDEN, HIDDEN),
        "proj.0.bias": random(HIDDEN),
        "proj.2.weight": random(width, HIDDEN),
        "proj.2.bias": random(width),
        "proj.3.weight": torch.ones(width),
        "proj.3.bias": torch.zeros(width),
    }


def face_projection(seed: int) -> Tensors:
    """Of IP-Adapter FaceID: what reads another network's embedding of a face."""
    random, width = _random(seed), text_parts.WIDTH
    return {
        "proj.0.weight": random(2 * FACE, FACE),
        "proj.0.bias": random(2 * FACE),
        "proj.2.weight": random(TOKENS * width, 2 * FACE),
        "proj.2.bias": random(TOKENS * width),
        "norm.weight": torch.ones(width),
        "norm.bias": torch.zeros(width),
    }


def with_changes(unet: Any, file: dict[str, Tensors], seed: int = 0) -> dict[str, Tensors]:
    """An adapter with a LoRA of every attention beside its layers, as those of faces have."""
    random, layers = _random(seed), dict(file["ip_adapter"])
    for number, name in enumerate(unet.attn_processors):
        attention = unet.get_submodule(name.removesuffix(".processor"))
        for what in ("to_q", "to_k", "to_v", "to_out"):
            layer = attention.to_out[0] if what == "to_out" else getattr(attention, what)
            layers[f"{number}.{what}_lora.down.weight"] = random(2, layer.in_features)
            layers[f"{number}.{what}_lora.up.weight"] = random(layer.out_features, 2)
    return {**file, "ip_adapter": layers}


def flat(file: dict[str, Tensors]) -> Tensors:
    """As a safetensors file has it."""
    halves = file.items()
    return {f"{half}.{name}": one.contiguous() for half, inside in halves for name, one in inside.items()}


def adapter(unet: Any, projection: Tensors, seed: int = 0) -> dict[str, Tensors]:
    """What such a file holds: the projection, and keys' and values' layers of each cross attention."""
    random, layers = _random(seed), {}
    crossing = [name for name in unet.attn_processors if ".attn2." in name]
    for number, name in enumerate(crossing):
        width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
        for what in ("to_k_ip", "to_v_ip"):
            layers[f"{2 * number + 1}.{what}.weight"] = random(width, text_parts.WIDTH)
    return {"image_proj": projection, "ip_adapter": layers}


def pipeline(*projections: Tensors) -> Any:
    """Stable Diffusion, with an IP-Adapter of each projection loaded."""
    whole = diffusers.StableDiffusionPipeline(
        vae=text_parts.vae(),
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=text_parts.unet(),
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=processor(),
        image_encoder=image_encoder(),
        requires_safety_checker=False,
    )
    files = [adapter(whole.unet, one, seed) for seed, one in enumerate(projections)]
    if files:
        names: Any = [""] * len(files)
        whole.load_ip_adapter(files, subfolder=names, weight_name=names, image_encoder_folder=None)
    return whole
