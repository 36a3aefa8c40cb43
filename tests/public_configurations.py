"""The configurations of published UNets, as their authors have them on their pages: facts, by name.

What stands here is what differs from the defaults of diffusers' classes. Widths are the published ones;
`reduced` gives the same architecture with few channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from public_videos import NARROW, PUBLISHED

Config = Mapping[str, Any]

CONDITION, UNCONDITIONAL = "UNet2DConditionModel", "UNet2DModel"


def _blocks(*downs: str) -> dict[str, Any]:
    """Blocks by their kinds on the way down, and the mirrored ones on the way up."""
    kinds = {
        "plain": ("DownBlock2D", "UpBlock2D"),
        "cross": ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"),
        "attention": ("AttnDownBlock2D", "AttnUpBlock2D"),
        "resnet": ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"),
        "simple": ("SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D"),
        "skip": ("SkipDownBlock2D", "SkipUpBlock2D"),
        "skip attention": ("AttnSkipDownBlock2D", "AttnSkipUpBlock2D"),
        "k": ("KDownBlock2D", "KUpBlock2D"),
        "k cross": ("KCrossAttnDownBlock2D", "KCrossAttnUpBlock2D"),
    }
    pairs = [kinds[one] for one in downs]
    return {
        "down_block_types": [down for down, _ in pairs],
        "up_block_types": [up for _, up in pairs[::-1]],
    }


SD1: Config = {
    "_class_name": CONDITION,
    "sample_size": 64,
    **_blocks("cross", "cross", "cross", "plain"),
    "block_out_channels": [320, 640, 1280, 1280],
    "attention_head_dim": 8,
    "cross_attention_dim": 768,
}
SD2: Config = {
    **SD1,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
}
SDXL: Config = {
    "_class_name": CONDITION,
    "sample_size": 128,
    **_blocks("plain", "cross", "cross"),
    "block_out_channels": [320, 640, 1280],
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
DISTILLED: Config = {**SDXL, "mid_block_type": "UNetMidBlock2D"}
IF: Config = {
    "_class_name": CONDITION,
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 6,
    **_blocks("resnet", "simple", "simple", "simple"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "block_out_channels": [704, 1408, 2112, 2816],
    "layers_per_block": 3,
    "act_fn": "gelu",
    "attention_head_dim": 64,
    "cross_attention_dim": 2816,
    "cross_attention_norm": "group_norm",
    "encoder_hid_dim": 4096,
    "encoder_hid_dim_type": "text_proj",
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 64,
    "mid_block_scale_factor": 1.4142,
    "resnet_out_scale_factor": 1.4142,
    "resnet_skip_time_act": True,
    "resnet_time_scale_shift": "scale_shift",
    "time_embedding_act_fn": "gelu",
}
IF_UPSCALING: Config = {
    **IF,
    "sample_size": 256,
    "in_channels": 6,
    "class_embed_type": "timestep",
    "block_out_channels": [320, 640, 1280, 1280],
    "cross_attention_dim": 1280,
    **_blocks("resnet", "resnet", "resnet", "simple"),
}
KANDINSKY: Config = {
    "_class_name": CONDITION,
    "sample_size": 64,
    "out_channels": 8,
    **_blocks("resnet", "simple", "simple", "simple"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "block_out_channels": [384, 768, 1152, 1536],
    "layers_per_block": 3,
    "attention_head_dim": 64,
    "cross_attention_dim": 768,
    "resnet_time_scale_shift": "scale_shift",
    "encoder_hid_dim": 1280,
    "encoder_hid_dim_type": "image_proj",
    "addition_embed_type": "image",
}
DDPM: Config = {
    "_class_name": UNCONDITIONAL,
    "attention_head_dim": None,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
}
CONSISTENCY: Config = {
    "_class_name": UNCONDITIONAL,
    "sample_size": 64,
    **_blocks("resnet", "attention", "attention", "attention"),
    "block_out_channels": [192, 384, 576, 768],
    "layers_per_block": 3,
    "attention_head_dim": 64,
    "num_class_embeds": 1000,
    "resnet_time_scale_shift": "scale_shift",
    "downsample_type": "resnet",
    "upsample_type": "resnet",
}

COMPILED: Mapping[str, Config] = {
    **PUBLISHED,
    "stable-diffusion-v1-5": SD1,
    "stable-diffusion-2-1-base": SD2,
    "stable-diffusion-2-1": {**SD2, "sample_size": 96, "upcast_attention": True},
    "stable-diffusion-2-1-unclip": {
        **SD2,
        "sample_size": 96,
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": 2048,
    },
    "stable-diffusion-inpainting": {**SD1, "in_channels": 9},
    "stable-diffusion-2-inpainting": {**SD2, "in_channels": 9},
    "instruct-pix2pix": {**SD1, "in_channels": 8},
    "stable-diffusion-x4-upscaler": {
        "_class_name": CONDITION,
        "sample_size": 128,
        "in_channels": 7,
        **_blocks("plain", "cross", "cross", "cross"),
        "block_out_channels": [256, 512, 512, 1024],
        "attention_head_dim": 8,
        "cross_attention_dim": 1024,
        "num_class_embeds": 1000,
        "only_cross_attention": [True, True, True, False],
        "use_linear_projection": True,
    },
    "stable-diffusion-xl-base-1.0": SDXL,
    "stable-diffusion-xl-refiner-1.0": {
        **SDXL,
        **_blocks("plain", "cross", "cross", "plain"),
        "block_out_channels": [384, 768, 1536, 1536],
        "transformer_layers_per_block": 4,
        "attention_head_dim": [6, 12, 24, 24],
        "cross_attention_dim": 1280,
        "projection_class_embeddings_input_dim": 2560,
    },
    "SSD-1B": {
        **DISTILLED,
        "transformer_layers_per_block": [1, [2, 2], [4, 4]],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
    },
    "Segmind-Vega": {
        **DISTILLED,
        "transformer_layers_per_block": [1, [1, 1], [2, 2]],
        "reverse_transformer_layers_per_block": [[2, 2, 2], [1, 1, 1], 1],
    },
    "small-sd": {**SD1, "layers_per_block": 1, "mid_block_type": None},
    "tiny-sd": {
        **SD1,
        **_blocks("cross", "cross", "cross"),
        "block_out_channels": [320, 640, 1280],
        "layers_per_block": 1,
        "mid_block_type": None,
    },
    "LCM_Dreamshaper_v7": {**SD1, "time_cond_proj_dim": 256},
    "ldm-text2im-large-256": {**SD1, "sample_size": 32, "cross_attention_dim": 1280},
    "audioldm": {
        "_class_name": CONDITION,
        "sample_size": 128,
        "in_channels": 8,
        "out_channels": 8,
        **_blocks("plain", "cross", "cross", "cross"),
        "block_out_channels": [128, 256, 384, 640],
        "attention_head_dim": 8,
        "cross_attention_dim": [128, 256, 384, 640],
        "class_embed_type": "simple_projection",
        "class_embeddings_concat": True,
        "projection_class_embeddings_input_dim": 512,
    },
    "audioldm2": {
        "_class_name": "AudioLDM2UNet2DConditionModel",
        "sample_size": 256,
        "in_channels": 8,
        "out_channels": 8,
        **_blocks("plain", "cross", "cross", "cross"),
        "block_out_channels": [128, 256, 384, 640],
        "attention_head_dim": 8,
        "cross_attention_dim": [[None, 768, 1024]] * 4,
    },
    "IF-I-XL-v1.0": IF,
    "IF-II-L-v1.0": IF_UPSCALING,
    "kandinsky-2-2-decoder": KANDINSKY,
    "kandinsky-2-2-controlnet-depth": {**KANDINSKY, "in_channels": 8, "addition_embed_type": "image_hint"},
    "kandinsky-2-1": {
        **KANDINSKY,
        "encoder_hid_dim": 1024,
        "encoder_hid_dim_type": "text_image_proj",
        "addition_embed_type": "text_image",
    },
    "ddpm-cifar10-32": {
        **DDPM,
        "sample_size": 32,
        **_blocks("plain", "attention", "plain", "plain"),
        "block_out_channels": [128, 256, 256, 256],
    },
    "ddpm-celebahq-256": {
        **DDPM,
        "sample_size": 256,
        **_blocks("plain", "plain", "plain", "plain", "attention", "plain"),
        "block_out_channels": [128, 128, 256, 256, 512, 512],
    },
    "ldm-celebahq-256": {
        "_class_name": UNCONDITIONAL,
        "sample_size": 64,
        **_blocks("plain", "attention", "attention", "attention"),
        "block_out_channels": [224, 448, 672, 896],
        "attention_head_dim": 32,
    },
    "ncsnpp-church-256": {
        "_class_name": UNCONDITIONAL,
        "sample_size": 256,
        **_blocks("skip", "skip", "skip", "skip", "skip attention", "skip", "skip"),
        "block_out_channels": [128, 128, 256, 256, 256, 256, 256],
        "attention_head_dim": None,
        "center_input_sample": False,
        "time_embedding_type": "fourier",
        "mid_block_scale_factor": 1.41421356237,
        "norm_eps": 1e-6,
    },
    "diffusers-cd_imagenet64_l2": CONSISTENCY,
    "diffusers-cd_bedroom256_l2": {
        **CONSISTENCY,
        "sample_size": 256,
        **_blocks("resnet", "resnet", "resnet", "attention", "attention", "attention"),
        "block_out_channels": [256, 256, 512, 512, 1024, 1024],
        "layers_per_block": 2,
        "num_class_embeds": None,
        "resnet_time_scale_shift": "default",
    },
    "sd-x2-latent-upscaler": {
        "_class_name": CONDITION,
        "sample_size": None,
        "in_channels": 8,
        "out_channels": 5,
        **_blocks("k", "k cross", "k cross", "k cross"),
        "mid_block_type": None,
        "block_out_channels": [384, 384, 768, 768],
        "layers_per_block": [2, 2, 4, 4],
        "act_fn": "gelu",
        "attention_head_dim": 64,
        "conv_in_kernel": 1,
        "conv_out_kernel": 1,
        "cross_attention_dim": 768,
        "norm_num_groups": None,
        "resnet_time_scale_shift": "scale_shift",
        "time_cond_proj_dim": 896,
        "time_embedding_type": "fourier",
        "timestep_post_act": "gelu",
    },
}
"""By name, those that can be compiled."""

REFUSED: Mapping[str, tuple[Config, str]] = {
    "stable-video-diffusion-img2vid": (
        {"_class_name": "UNetSpatioTemporalConditionModel"},
        "UNetSpatioTemporalConditionModel",
    ),
    "sd-controlnet-canny": ({**SD1, "_class_name": "ControlNetModel"}, "--part controlnet"),
    "FLUX.1-dev": ({"_class_name": "FluxTransformer2DModel"}, "FluxTransformer2DModel"),
}
"""By name, those that can't, and what stands in the sentence that says so."""

CHANNELS = 320
"""So many become `FEW`."""
FEW = 8
GROUPS = 4
CONTEXT = 32
"""Numbers of a token; diffusers norms them in 32 groups."""
HEADS = 2
"""Of attention in models whose heads are counted; channels of a head in the others."""


def reduced(config: Config) -> dict[str, Any]:
    """The same architecture with few channels, on 8 x 8 or the least that its levels need."""
    if config["_class_name"] in NARROW:
        return {**config, **NARROW[config["_class_name"]]}
    found = dict(config)
    blocks = [max(FEW, FEW * one // CHANNELS // FEW * FEW) for one in config["block_out_channels"]]
    if any("Skip" in one for one in config["down_block_types"]):
        blocks = [CONTEXT] * len(blocks)  # these norm in 32 groups, whatever the config says
    reflects = any(one.startswith("K") for one in config["down_block_types"])
    if reflects:  # and these norm 32 a group, and mirror the edges of two pixels at least
        blocks = [CONTEXT * one // CHANNELS for one in config["block_out_channels"]]
    found |= {"block_out_channels": blocks, "sample_size": max(8, 2 ** (len(blocks) - 1 + reflects))}
    if config.get("norm_num_groups", GROUPS) is not None:
        found["norm_num_groups"] = GROUPS
    # One residual block tells as much of an architecture as three.
    layers = config.get("layers_per_block", 2)
    if "reverse_transformer_layers_per_block" not in config:
        found["layers_per_block"] = [1] * len(layers) if isinstance(layers, list) else 1
    heads = config.get("attention_head_dim")
    if heads is not None:
        found["attention_head_dim"] = [HEADS] * len(heads) if isinstance(heads, list) else HEADS
    narrow = {"cross_attention_dim": CONTEXT, "encoder_hid_dim": 12, "num_class_embeds": 10}
    found |= {name: few for name, few in narrow.items() if config.get(name) is not None}
    if isinstance(config.get("cross_attention_dim"), list):
        several = any(isinstance(one, list) for one in config["cross_attention_dim"])
        found["cross_attention_dim"] = [[None, CONTEXT, CONTEXT // 2]] * len(blocks) if several else blocks
    if config.get("addition_embed_type") == "text_time":
        ids = 5 if config["projection_class_embeddings_input_dim"] == 1280 + 5 * 256 else 6
        text = 1280 if ids == 5 else 20
        found |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": text + 8 * ids}
    elif config.get("projection_class_embeddings_input_dim"):
        found["projection_class_embeddings_input_dim"] = 24
    if config.get("addition_embed_type") == "text":
        found |= {"addition_embed_type_num_heads": 2}
    if "transformer_layers_per_block" in config:
        found |= {
            key: _shallow(config[key])
            for key in ("transformer_layers_per_block", "reverse_transformer_layers_per_block")
            if key in config
        }
    return found


def _shallow(layers: Any) -> Any:
    """At most one transformer layer at a place, two where lists name each."""
    if isinstance(layers, list):
        return [[min(one, 2) for one in each] if isinstance(each, list) else 1 for each in layers]
    return 1
