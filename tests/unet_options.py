"""Every block and every option that diffusers' UNets have: the smallest UNet with each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]

WIDTH, FIXED = 16, 32
"""Channels; of blocks that norm in 32 groups whatever the config says."""
CONDITION: Options = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 4,
    "down_block_types": ["CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D"],
    "block_out_channels": [WIDTH],
    "layers_per_block": 1,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
    "cross_attention_dim": FIXED,
}
UNCONDITIONAL: Options = {
    "_class_name": "UNet2DModel",
    "sample_size": 4,
    "down_block_types": ["AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D"],
    "block_out_channels": [WIDTH],
    "layers_per_block": 1,
    "attention_head_dim": 4,
    "norm_num_groups": 4,
}


def pair(kind: str, base: Options = CONDITION, **options: Any) -> Options:
    """Two levels of one kind of blocks, the second half as large."""
    down, up = kind.split(", ")
    width = FIXED if "Skip" in kind else WIDTH
    blocks = {"down_block_types": [down] * 2, "up_block_types": [up] * 2, "block_out_channels": [width] * 2}
    return {**base, **blocks, **options}


def dreamlite(down: str, up: str, **options: Any) -> Options:
    """DreamLite's UNet: depthwise convolutions, one key for several queries, norms of both."""
    base = {
        **CONDITION,
        "_class_name": "DreamLiteUNetModel",
        "down_block_types": [down],
        "up_block_types": [up],
    }
    return {**base, "ff_mult": 2, "use_linear_projection": True, **options}


SIMPLE = {"mid_block_type": "UNetMidBlock2DSimpleCrossAttn"}
K: Options = {
    "sample_size": 8,
    "mid_block_type": None,
    "norm_num_groups": None,
    "act_fn": "gelu",
    "block_out_channels": [FIXED, 2 * FIXED, 2 * FIXED],
    "time_embedding_type": "fourier",
    "resnet_time_scale_shift": "scale_shift",
}
CROSS_K: Options = {
    **K,
    "down_block_types": ["KDownBlock2D", *["KCrossAttnDownBlock2D"] * 2],
    "up_block_types": [*["KCrossAttnUpBlock2D"] * 2, "KUpBlock2D"],
    "layers_per_block": 2,
}
LABELS = {"projection_class_embeddings_input_dim": 5}

BLOCKS: Mapping[str, Options] = {
    name: {**pair(name, base), **options}
    for name, base, options in (
        ("DownBlock2D, UpBlock2D", UNCONDITIONAL, {}),
        ("AttnDownBlock2D, AttnUpBlock2D", UNCONDITIONAL, {}),
        ("SkipDownBlock2D, SkipUpBlock2D", UNCONDITIONAL, {}),
        ("AttnSkipDownBlock2D, AttnSkipUpBlock2D", UNCONDITIONAL, {}),
        ("ResnetDownsampleBlock2D, ResnetUpsampleBlock2D", UNCONDITIONAL, {}),
        ("CrossAttnDownBlock2D, CrossAttnUpBlock2D", CONDITION, {}),
        ("SimpleCrossAttnDownBlock2D, SimpleCrossAttnUpBlock2D", CONDITION, SIMPLE),
        ("KCrossAttnDownBlock2D, KCrossAttnUpBlock2D", CONDITION, CROSS_K),
    )
} | {
    "DreamLite, plain": dreamlite("DreamLiteDownBlock2D", "DreamLiteUpBlock2D"),
    "DreamLite, cross": dreamlite("DreamLiteCrossAttnDownBlock2D", "DreamLiteCrossAttnUpBlock2D"),
    "DreamLite, no attention to itself": dreamlite(
        "DreamLiteCrossAttnNoSelfAttnDownBlock2D",
        "DreamLiteCrossAttnNoSelfAttnUpBlock2D",
        addition_embed_type="time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8,
    ),
}
"""Blocks of the way down and up."""
NO_UNETS: Mapping[str, str] = {
    "DownEncoderBlock2D": "of autoencoders",
    "AttnDownEncoderBlock2D": "of autoencoders",
    "UpDecoderBlock2D": "of autoencoders",
    "AttnUpDecoderBlock2D": "of autoencoders",
}
"""Blocks that stand in no UNet: they take no timestep."""

_CONDITIONAL: Mapping[str, Options] = {
    "mid blocks without attention": {"mid_block_type": "UNetMidBlock2D"},
    "no mid block": {"mid_block_type": None},
    "simple mid block": {**SIMPLE, "mid_block_only_cross_attention": True, "mid_block_scale_factor": 1.4},
    "sines first": {"flip_sin_to_cos": False, "freq_shift": 1},
    "centred": {"center_input_sample": True},
    "channels": {"in_channels": 5, "out_channels": 3},
    "other gates": {"act_fn": "gelu", "time_embedding_act_fn": "mish", "timestep_post_act": "relu"},
    "norms' epsilon": {"norm_eps": 1e-3, "dropout": 0.1},
    "transformers of two layers": {"transformer_layers_per_block": 2, "use_linear_projection": True},
    "transformers other on the way up": {
        "transformer_layers_per_block": [[1]],
        "reverse_transformer_layers_per_block": [[1, 2]],
    },
    "cross attention alone": {"only_cross_attention": True},
    "attention in float32": {"upcast_attention": True},
    "contexts normed by layers": {"cross_attention_norm": "layer_norm", "cross_attention_dim": WIDTH},
    "contexts normed by groups": {
        **SIMPLE,
        "cross_attention_norm": "group_norm",
        "down_block_types": ["SimpleCrossAttnDownBlock2D"],
        "up_block_types": ["SimpleCrossAttnUpBlock2D"],
    },
    "scales and shifts": {
        "resnet_time_scale_shift": "scale_shift",
        "resnet_skip_time_act": True,
        "resnet_out_scale_factor": 1.4,
        "down_block_types": ["ResnetDownsampleBlock2D"],
        "up_block_types": ["ResnetUpsampleBlock2D"],
    },
    "Fourier time": {"time_embedding_type": "fourier", "time_embedding_dim": 20},
    "kernels of one": {"conv_in_kernel": 1, "conv_out_kernel": 1},
    "padding below": {
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
        "block_out_channels": [WIDTH, WIDTH],
        "downsample_padding": 0,
    },
    "labels from a table": {"num_class_embeds": 4},
    "labels beside the time": {"num_class_embeds": 4, "class_embeddings_concat": True},
    "labels as times": {"class_embed_type": "timestep"},
    "labels projected": {"class_embed_type": "projection", **LABELS},
    "labels projected at once": {"class_embed_type": "simple_projection", **LABELS},
    "labels as they are": {"class_embed_type": "identity"},
    "text projected": {"encoder_hid_dim_type": "text_proj", "encoder_hid_dim": 9},
    "text pooled": {
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 2,
    },
    "text and time": {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 30,
    },
    "told the guidance scale": {"time_cond_proj_dim": 8},
    "told its noise": {"time_cond_proj_dim": 8, "time_embedding_type": "fourier"},
}
_UNCONDITIONAL: Mapping[str, Options] = {
    "Fourier": {"time_embedding_type": "fourier"},
    "learned times": {"time_embedding_type": "learned", "num_train_timesteps": 1000},
    "wider time": {"time_embedding_dim": 20},
    "no attention": {"add_attention": False},
    "without a mid block": {"mid_block_type": None},
    "scale and shift": {"resnet_time_scale_shift": "scale_shift"},
    "spatial norms of none": {"attn_norm_num_groups": 2},
    "residual resampling": {
        **pair("AttnDownBlock2D, AttnUpBlock2D", UNCONDITIONAL),
        "downsample_type": "resnet",
        "upsample_type": "resnet",
    },
    "table of labels": {"num_class_embeds": 4},
    "times of labels": {"class_embed_type": "timestep"},
    "identity of labels": {"class_embed_type": "identity"},
    "everything at once": {
        "in_channels": 2,
        "out_channels": 2,
        "center_input_sample": True,
        "freq_shift": 1,
        "flip_sin_to_cos": False,
        "mid_block_scale_factor": 1.4,
        "downsample_padding": 0,
        "dropout": 0.1,
        "act_fn": "mish",
        "norm_eps": 1e-3,
    },
}
OPTIONS: Mapping[str, Options] = {
    **{name: {**CONDITION, **one} for name, one in _CONDITIONAL.items()},
    **{name: {**UNCONDITIONAL, **one} for name, one in _UNCONDITIONAL.items()},
}
"""UNets by what is unusual of them."""
NO_OPTIONS: Mapping[str, str] = {
    "num_attention_heads": "diffusers refuses it: attention_head_dim says how many",
    "dual_cross_attention": "diffusers' own forward fails with it",
}
"""Parameters that nobody can have."""
REFUSED: Mapping[str, tuple[Options, str]] = {
    "boxes and phrases": ({**CONDITION, "attention_type": "gated"}, "GLIGEN's gated layers"),
}
"""What is captured by nobody, and what the sentence says."""
