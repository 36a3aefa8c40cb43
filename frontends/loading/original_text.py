"""Text encoders out of a checkpoint in one file: CLIP's under transformers' names, OpenCLIP's under its own.

No config lies beside such a file. Widths and layers follow from shapes; every published CLIP of this kind has
heads of 64 channels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from ...ir.errors import DgqcError
from .original_weights import filled

HEAD = 64
"""Channels of an attention head."""
WHOLE = "give the whole checkpoint, or leave out --tokenizer"
TOKENS = "embeddings.token_embedding.weight"
POSITIONS = "embeddings.position_embedding.weight"
OPEN_NAMES: Mapping[str, str] = {
    "token_embedding.weight": TOKENS,
    "positional_embedding": POSITIONS,
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
    "text_projection": "text_projection.weight",
}
"""OpenCLIP's names outside of layers, and transformers'."""
OPEN_LAYERS: Mapping[str, str] = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
"""The same within a layer."""
OPEN_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)", re.ASCII)
LAYER = re.compile(r"encoder\.layers\.(\d+)\.", re.ASCII)


@dataclass(frozen=True)
class TextPart:
    """One text encoder of a file.

    part: what a pipeline calls it. start: what the names of its weights begin with. open: whether it is
    OpenCLIP's, whose own names its weights have but where they are renamed. projected: whether its pooled
    text is asked for.
    """

    part: str
    start: str
    open: bool = False
    projected: bool = False
    renamed: bool = False

    @property
    def last_but_one(self) -> bool:
        """Whether the model was trained with what the last layer but one gives, and the pipeline takes the
        last: Stable Diffusion 2's. SDXL's pipeline asks both of its encoders for that one itself."""
        return self.open and not self.projected


CLIP = "cond_stage_model.transformer.text_model."
RENAMED = "cond_stage_model.1.transformer.text_model."
TEXT_PARTS: Sequence[TextPart] = (
    TextPart("text_encoder", CLIP),
    TextPart("text_encoder", "cond_stage_model.model.", open=True),
    TextPart("text_encoder", "conditioner.embedders.0.transformer.text_model."),
    TextPart("text_encoder_2", "conditioner.embedders.1.model.", open=True, projected=True),
    TextPart("text_encoder_2", "conditioner.embedders.0.model.", open=True, projected=True),
    TextPart("text_encoder_2", RENAMED, open=True, projected=True, renamed=True),
)
"""Of Stable Diffusion 1, 2, SDXL, of SDXL's refiner the last but one, and what stable-diffusion.cpp calls
SDXL's second. The first one's name it gives to each."""


def text_parts(names: Sequence[str]) -> list[TextPart]:
    """The text encoders that a file with these names holds."""
    found = [one for one in TEXT_PARTS if any(name.startswith(one.start) for name in names)]
    # Of Stable Diffusion 2's only the projection, which nobody reads, tells whose it was.
    return [replace(one, open=True, renamed=True) if _was_open(one, names) else one for one in found]


def _was_open(one: TextPart, names: Sequence[str]) -> bool:
    return one.start == CLIP and f"{CLIP}text_projection" in names


def text_encoder(
    part: TextPart, weights: Mapping[str, torch.Tensor], tokenizer: Any, source: str
) -> nn.Module:
    """A text encoder in evaluation mode with float32 weights.

    weights: of the file, by its names. tokenizer: says which tokens begin and end a prompt.
    Raises DgqcError where weights are missing, or the tokenizer has more tokens than the encoder.
    """
    own = {name.removeprefix(part.start): one for name, one in weights.items() if name.startswith(part.start)}
    plain = dict(_transformers_names(own) if part.open and not part.renamed else _own_names(own))
    layers = 1 + max((int(found[1]) for name in plain if (found := LAYER.match(name))), default=-1)
    if layers < 1 or TOKENS not in plain or POSITIONS not in plain:
        raise DgqcError(f"{source} holds a part of a text encoder ({part.start}*) alone; {WHOLE}.")
    if part.last_but_one and "text_projection.weight" in plain:
        # Files that were converted back from diffusers lack both the last layer and the projection.
        layers -= 1
    tokens, width = plain[TOKENS].shape
    if len(tokenizer) > tokens:
        raise DgqcError(
            f"The tokenizer knows {len(tokenizer)} tokens, but the text encoder of {source} {tokens}; give "
            "the tokenizer of this kind of model."
        )
    config = CLIPTextConfig(
        vocab_size=tokens,
        hidden_size=width,
        intermediate_size=plain["encoder.layers.0.mlp.fc1.weight"].shape[0],
        projection_dim=plain["text_projection.weight"].shape[0] if part.projected else width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // HEAD),
        max_position_embeddings=plain[POSITIONS].shape[0],
        hidden_act="gelu" if part.open else "quick_gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    kind: Any = CLIPTextModelWithProjection if part.projected else CLIPTextModel
    model: nn.Module = kind(config)
    return filled(
        model, {name: plain.get(_short(name)) for name in model.state_dict()}, f"{source}: {part.part}"
    )


def _short(name: str) -> str:
    """Versions of transformers put `text_model.` in front, or don't."""
    return name.removeprefix("text_model.")


def _own_names(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights under transformers' names, with a projection as OpenCLIP has it turned."""
    for name, tensor in weights.items():
        yield (OPEN_NAMES[name], tensor.T) if name == "text_projection" else (name, tensor)


def _transformers_names(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """OpenCLIP's weights under transformers' names: queries, keys and values apart, a projection turned."""
    for name, tensor in weights.items():
        if name in OPEN_NAMES:
            yield OPEN_NAMES[name], tensor.T if name == "text_projection" else tensor
        elif found := OPEN_LAYER.fullmatch(name):
            layer, inside = f"encoder.layers.{found[1]}", found[2]
            if inside in ("attn.in_proj_weight", "attn.in_proj_bias"):
                kind = inside.rpartition("_")[2]
                for one, part in zip("qkv", tensor.chunk(3), strict=True):
                    yield f"{layer}.self_attn.{one}_proj.{kind}", part
            else:
                module, _, kind = inside.rpartition(".")
                yield f"{layer}.{OPEN_LAYERS.get(module, module)}.{kind}", tensor
