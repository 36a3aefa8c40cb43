"""The model: the demo model's pictures and words in a tenth of its weights."""

from __future__ import annotations

from pathlib import Path

from dgqc.demo_model.model import Design

PIPELINE = Path(__file__).resolve().parent.parent / "pipeline"
"""The shipped pipeline folder."""

SMALL = Design(
    block=8,
    text_width=48,
    text_layers=2,
    text_heads=3,
    unet={
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
        "block_out_channels": (40,),
        "attention_head_dim": (5,),
        "norm_num_groups": 8,
        # A quarter of diffusers' own: compiled, it is a table.
        "time_embedding_dim": 64,
    },
)
"""545 thousand weights, text encoder included: latents [N, 192, 4, 4], with four attentions to text."""
