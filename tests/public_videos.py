"""The configurations of published models of videos and sounds, and of Kandinsky 3: facts, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]

PUBLISHED: Mapping[str, Config] = {
    "animatediff-motion-adapter-v1-5-2": {
        "_class_name": "UNetMotionModel",
        "sample_size": 64,
        "down_block_types": [*["CrossAttnDownBlockMotion"] * 3, "DownBlockMotion"],
        "up_block_types": ["UpBlockMotion", *["CrossAttnUpBlockMotion"] * 3],
        "block_out_channels": [320, 640, 1280, 1280],
        "cross_attention_dim": 768,
        "num_attention_heads": 8,
        "motion_num_attention_heads": 8,
        "motion_max_seq_length": 32,
        "use_motion_mid_block": True,
    },
    "text-to-video-ms-1.7b": {
        "_class_name": "UNet3DConditionModel",
        "sample_size": 32,
        "down_block_types": [*["CrossAttnDownBlock3D"] * 3, "DownBlock3D"],
        "up_block_types": ["UpBlock3D", *["CrossAttnUpBlock3D"] * 3],
        "block_out_channels": [320, 640, 1280, 1280],
        "attention_head_dim": 64,
        "cross_attention_dim": 1024,
    },
    "dance-diffusion": {
        "_class_name": "UNet1DModel",
        "sample_size": 65536,
        "extra_in_channels": 16,
        "time_embedding_dim": 16,
        "down_block_types": ["DownBlock1DNoSkip", "DownBlock1D", "AttnDownBlock1D"],
        "up_block_types": ["AttnUpBlock1D", "UpBlock1D", "UpBlock1DNoSkip"],
        "block_out_channels": [128, 256, 512],
    },
    "kandinsky-3": {
        "_class_name": "Kandinsky3UNet",
        "time_embedding_dim": 1536,
        "groups": 32,
        "attention_head_dim": 64,
        "layers_per_block": 3,
        "block_out_channels": [384, 768, 1536, 3072],
        "cross_attention_dim": 4096,
        "encoder_hid_dim": 4096,
    },
}
"""By name, as their authors have them."""
NARROW: Mapping[str, Config] = {
    "UNetMotionModel": {
        "sample_size": 8,
        "block_out_channels": [8, 8, 8, 8],
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": 16,
        "num_attention_heads": 2,
        "motion_num_attention_heads": 2,
    },
    "UNet3DConditionModel": {
        "sample_size": 8,
        "block_out_channels": [8, 8, 8, 8],
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
    },
    "UNet1DModel": {"sample_size": 64, "block_out_channels": [32, 32, 32]},
    "Kandinsky3UNet": {
        "time_embedding_dim": 16,
        "groups": 4,
        "attention_head_dim": 4,
        "layers_per_block": 2,
        "block_out_channels": [16, 32, 64, 128],
        "cross_attention_dim": 16,
        "encoder_hid_dim": 12,
    },
}
"""By class, what makes one small."""
SIZES: Mapping[str, tuple[int, ...]] = {
    "UNetMotionModel": (2, 8, 8),
    "UNet3DConditionModel": (2, 8, 8),
    "Kandinsky3UNet": (8, 8),
}
"""Of samples, where the config doesn't say all of it."""
