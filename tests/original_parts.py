"""Text encoders and a VAE under the names that checkpoints in one file have for them."""

from __future__ import annotations

import re
from typing import Any

import text_parts
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

Tensors = dict[str, torch.Tensor]
HEAD = 64
OPEN = (
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm", "ln_final"),
    ("encoder.layers.", "transformer.resblocks."),
    ("layer_norm", "ln_"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("mlp.fc1", "mlp.c_fc"),
    ("mlp.fc2", "mlp.c_proj"),
)
"""transformers' words and OpenCLIP's."""
VAE = (
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0", "mid.attn_1"),
    (r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2"),
    (r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.(\d+)\.resnets\.(\d+)", r"up.\1.block.\2"),
    (r"up_blocks\.(\d+)\.upsamplers\.0", r"up.\1.upsample"),
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"group_norm", "norm"),
    (r"to_q\.", "q."),
    (r"to_k\.", "k."),
    (r"to_v\.", "v."),
    (r"to_out\.0\.", "proj_out."),
)
"""diffusers' words and CompVis'."""


def encoder(width: int, layers: int = 2, projection: int | None = None, act: str = "quick_gelu") -> Any:
    """A text encoder for the tokenizer of five words, loud enough that prompts differ."""
    torch.manual_seed(width)
    config = CLIPTextConfig(
        vocab_size=3 + len(text_parts.WORDS),
        hidden_size=width,
        intermediate_size=32,
        projection_dim=projection or width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // HEAD),
        max_position_embeddings=text_parts.TOKENS,
        hidden_act=act,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    kind: Any = CLIPTextModelWithProjection if projection else CLIPTextModel
    model = kind(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def clip(model: Any, start: str = "cond_stage_model.transformer.") -> Tensors:
    """CLIP's text encoder under transformers' names, with the positions that its first versions saved."""
    plain = {name.removeprefix("text_model."): tensor for name, tensor in model.state_dict().items()}
    positions = torch.arange(model.config.max_position_embeddings)[None]
    plain["embeddings.position_ids"] = positions
    return {f"{start}text_model.{name}": tensor.contiguous() for name, tensor in plain.items()}


def open_clip(model: Any, start: str) -> Tensors:
    """The same as OpenCLIP saves it: queries, keys and values together, the projection turned."""
    plain = {name.removeprefix("text_model."): tensor for name, tensor in model.state_dict().items()}
    found: Tensors = {}
    for name, tensor in plain.items():
        if name == "text_projection.weight":
            found[f"{start}text_projection"] = tensor.T.contiguous()
        elif match := re.fullmatch(r"(encoder\.layers\.\d+\.)self_attn\.q_proj\.(weight|bias)", name):
            three = [plain[f"{match[1]}self_attn.{one}_proj.{match[2]}"] for one in "qkv"]
            layer = match[1].replace("encoder.layers.", "transformer.resblocks.")
            found[f"{start}{layer}attn.in_proj_{match[2]}"] = torch.cat(three)
        elif not re.search(r"self_attn\.[kv]_proj", name):
            for ours, theirs in OPEN:
                name = name.replace(ours, theirs)
            found[start + name] = tensor.contiguous()
    return found


def vae_names(model: Any, start: str = "first_stage_model.") -> Tensors:
    """A VAE; projections of its attention are convolutions of one pixel, and the way up counts downwards."""
    last = len(model.config.block_out_channels) - 1
    found: Tensors = {}
    for name, tensor in model.state_dict().items():
        one = name
        for ours, theirs in VAE:
            one = re.sub(ours, theirs, one)
        one = re.sub(r"\bup\.(\d+)", lambda match: f"up.{last - int(match[1])}", one)
        attends = re.search(r"attn_1\.(q|k|v|proj_out)\.weight", one) is not None
        found[start + one] = (tensor[..., None, None] if attends else tensor).contiguous()
    return found
