"""CLIP's text encoders as parts: from ids of tokens to the states and the pooled text that pipelines take."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from ...ir.errors import DgqcError, UnsupportedOperation
from ...ir.ops.tokens import IDS as MOST_IDS
from ...ir.program import IDS
from ...ir.tokenizer import Tokenizer
from ..calibrating.captions import everyday_captions, prompts_for, tells_apart
from ..loading.token_tables import token_tables
from .part import Part, called_with, exported

log = logging.getLogger("dgqc")

TOKENIZERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
"""Each text encoder, with who makes its ids."""
PROMPTS = 64
"""That calibrate a text encoder; an empty one, which guidance takes, is the first."""
OLD_END = 2
"""What transformers' older configs call the end: pooled text is then that of the largest id."""


@dataclass(frozen=True)
class TakenStates:
    """What a pipeline takes of a text encoder.

    layer: of the hidden states, counted from the last; None for the last after its norm.
    pooled: how many numbers of pooled text it takes besides; 0 for none.
    """

    layer: int | None = None
    pooled: int = 0


def taken_states(pipeline: Any, name: str) -> TakenStates:
    """What this pipeline takes of its text encoder.

    Stable Diffusion XL takes the last layer but one, and pooled text of the encoder that has a projection;
    others take the last layer.
    """
    if getattr(pipeline, "text_encoder_2", None) is None:
        return TakenStates()
    encoder = getattr(pipeline, name)
    projected = isinstance(encoder, CLIPTextModelWithProjection)
    return TakenStates(-2, int(encoder.config.projection_dim) if projected else 0)


class _States(nn.Module):
    """What a pipeline takes, as one tensor: (1, N, W), and pooled text in as many rows more as it fills."""

    def __init__(self, encoder: Any, taken: TakenStates) -> None:
        super().__init__()
        self.model = encoder
        self.taken = taken

    def forward(self, input_ids: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        found = self.model(input_ids, output_hidden_states=True)
        layer = self.taken.layer
        states: torch.Tensor = found.last_hidden_state if layer is None else found.hidden_states[layer]
        if not self.taken.pooled:
            return states
        return torch.cat([states, self._pooled(found.last_hidden_state, input_ids)], 1)

    def _pooled(self, last: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """The text's embedding: the end token's state, projected."""
        end = self.model.config.eos_token_id
        row = torch.ops.dgqc.end_token(last, ids, -1 if end == OLD_END else end)
        pooled = self.model.text_projection(row)
        return nn.functional.pad(pooled, (0, -pooled.shape[1] % last.shape[2])).reshape(1, -1, last.shape[2])


def text_encoder_part(pipeline: Any, name: str, seed: int) -> Part:
    """A text encoder of a pipeline. name: of the part, as the pipeline calls it.

    Raises UnsupportedOperation for an encoder that is none of CLIP's.
    """
    encoder, tokenizer = getattr(pipeline, name), getattr(pipeline, TOKENIZERS[name], None)
    kind = type(encoder).__name__
    if not isinstance(encoder, CLIPTextModel | CLIPTextModelWithProjection) or tokenizer is None:
        raise UnsupportedOperation(f"The pipeline's {name}, a {kind}, is no text encoder of CLIP.")
    if encoder.config.vocab_size > MOST_IDS:
        raise UnsupportedOperation(f"The pipeline's {name} knows more than {MOST_IDS} ids.")
    if getattr(encoder.config, "use_attention_mask", False):
        raise UnsupportedOperation(f"The pipeline's {name} takes attention masks, which no program does.")
    example = ids_of(tokenizer, [""])
    model = exported(_States(encoder, taken_states(pipeline, name)), example, kind, name)
    known = "everyday captions" if tells_apart(tokenizer, everyday_captions()) else "prompts of its words"
    origin = f"{PROMPTS - 1} {known} and an empty prompt through its tokenizer, seed {seed}"

    def prompts() -> torch.Tensor:
        return ids_of(tokenizer, ["", *prompts_for(tokenizer, PROMPTS - 1, seed)])

    return Part(name, model, called_with(IDS, origin, prompts), _tables(tokenizer, name))


def _tables(tokenizer: Any, name: str) -> Tokenizer | None:
    """The tokenizer's tables; where it has none, the log says so, and prompts are given as ids."""
    try:
        return token_tables(tokenizer)
    except DgqcError as error:
        log.warning("%s Prompts of the %s are ids of tokens.", error, name)
        return None


def ids_of(tokenizer: Any, prompts: Sequence[str]) -> torch.Tensor:
    """Ids as pipelines ask for them, int64 (prompts, tokens): as long as the tokenizer says."""
    ids: torch.Tensor = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids
