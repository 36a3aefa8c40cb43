"""The model: the demo model's pictures and words in a tenth of its weights."""

from __future__ import annotations

from pathlib import Path

from dgqc.demo_model.model import Design

PIPELINE = Path(__file__).resolve().parent.parent / "pipeline"
"""The shipped pipeline folder."""

SMALL = Design(
    block=4,
    text_width=48,
    text_layers=2,
    text_heads=3,
    unet={
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
        "block_out_channels": (48,),
        "attention_head_dim": (3,),
        "norm_num_groups": 8,
        # A quarter of diffusers' own: compiled, it is a table.
        "time_embedding_dim": 64,
    },
)
"""590 thousand weights, text encoder included: latents [N, 48, 8, 8], four attentions to text at 8x8."""
