"""Files that aren't a UNet's say what they are, and what to do with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from original_names import original_names
from safetensors.torch import save_file

from dgqc.frontends import load_model
from dgqc.frontends.loading.foreign_weights import foreign_kind
from dgqc.ir.errors import DgqcError

from .conftest import tiny_unet

NAMES = {
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": "give this file with --lora",
    "unet.down_blocks.0.attentions.0.proj_in.lora_A.weight": "give this file with --lora",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.up.weight": "--lora",
    "lycoris_mid_block_resnets_0_conv1.hada_w1_a": "give this file with --lora",
    "model.diffusion_model.double_blocks.0.img_attn.qkv.weight": "a diffusion transformer",
    "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight": "a diffusion transformer",
    "control_model.input_blocks.0.0.weight": "a ControlNet: compile the pipeline that it controls",
    "controlnet_cond_embedding.conv_in.weight": "a ControlNet",
    "down_blocks.0.motion_modules.0.temporal_transformer.norm.weight": "AnimateDiff: .*from_unet2d",
    "down_blocks.0.resnets.0.spatial_res_block.norm1.weight": "Stable Video Diffusion's UNet",
    "adapter.body.0.in_conv.weight": "a T2I-Adapter: compile the pipeline that it is for",
    "body.0.block1.weight": "a T2I-Adapter",
    "down_blocks.0.3.channel_mapper.weight": "Stable Cascade's network",
    "enc.blk.0.attn_q.weight": "a language model or text encoder",
    "image_proj.norm.weight": "an IP-Adapter",
    "emb_params": "a textual inversion",
    "first_stage_model.decoder.up.0.block.0.conv1.weight": "a VAE",
    "decoder.up_blocks.0.resnets.0.conv1.weight": "a VAE",
    "text_model.encoder.layers.0.mlp.fc1.weight": "a text encoder",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_they_are(name: str, tmp_path: Path) -> None:
    save_file({name: torch.ones(2, 2)}, tmp_path / "a.safetensors")
    with pytest.raises(DgqcError, match=NAMES[name]) as caught:
        load_model(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


def test_a_unet_is_none_of_them(tmp_path: Path) -> None:
    unet = tiny_unet()
    assert foreign_kind(unet.state_dict()) is None
    assert foreign_kind(original_names(unet)) is None
    save_file(unet.state_dict(), tmp_path / "a.safetensors")
    with pytest.raises(DgqcError, match=r"no config\.json beside it; put the UNet's config\.json into"):
        load_model(tmp_path / "a.safetensors")
