"""Conditions for a model that comes alone, drawn so that they look as pipelines' do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ..loading.exported_unet import ExportedUNet
from ..loading.model_inputs import SDXL_IDS, ModelInput, model_config

AESTHETIC_SCORE = 6.0
"""What SDXL's refiner is told where nobody says otherwise."""
PIXELS_PER_LATENT = 8
"""Side of the square of pixels that one latent stands for, for the picture sizes in SDXL's time ids."""
NOISE_LEVELS = 1000
"""Of a model that is told how noisy its condition is."""
ENCODER_SEED = 25
"""What all prompts of a width have in common does not depend on the user's seed."""
MASSIVE = 2
"""Channels of a start token that hold nearly all of it."""
SHORTEST, LONGEST = 4, 20
"""Tokens of an everyday prompt, its end among them; what follows is padding."""


@dataclass(frozen=True)
class Conditions:
    """The inputs beside sample and timestep, by name, a row a sample.

    given: of the samples. empty: of the same samples without a prompt, guidance's other half; None where
    the model takes no prompts.
    """

    given: Mapping[str, torch.Tensor]
    empty: Mapping[str, torch.Tensor] | None

    def rows(self, start: int, count: int) -> Conditions:
        """Those of some samples."""
        chosen = slice(start, start + count)
        empty = self.empty and {name: value[chosen] for name, value in self.empty.items()}
        return Conditions({name: value[chosen] for name, value in self.given.items()}, empty)


def draw_conditions(
    model: nn.Module, inputs: Sequence[ModelInput], count: int, generator: torch.Generator
) -> Conditions:
    """Conditions of so many samples. inputs: all that the model takes, `sample` first."""
    sample, _, *taken = inputs
    given = {one.name: _draw(one, model, count, sample, generator) for one in taken}
    if "encoder_hidden_states" not in given:
        return Conditions(given, None)
    empty = dict(given)
    if "text_embeds" in given:
        # SDXL's pipeline says nothing with zeros.
        empty |= {name: torch.zeros_like(given[name]) for name in ("encoder_hidden_states", "text_embeds")}
    else:
        empty["encoder_hidden_states"] = text_like(given["encoder_hidden_states"].shape, None)
    return Conditions(given, empty)


def label_count(model: nn.Module) -> int:
    """How many classes the model knows: the rows of the table in which it looks up labels, 1 if not found."""
    embedding = getattr(model, "class_embedding", None)
    if isinstance(embedding, nn.Embedding):
        return embedding.num_embeddings
    if isinstance(model, ExportedUNet):
        return model.label_count or 1
    return int(model_config(model).get("num_class_embeds") or 1)


def draw_labels(classes: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Labels, int64 (count,): every class once, in any order, before any comes again."""
    rounds = [torch.randperm(classes, generator=generator) for _ in range(math.ceil(count / classes))]
    return torch.cat(rounds)[:count]


def text_like(shape: Sequence[int], generator: torch.Generator | None) -> torch.Tensor:
    """What a text encoder's last layer norm gives, float32 (B, N, D); None gives that of the empty prompt.

    As in CLIP, the first token is the same in every prompt and lies nearly all in two channels; the tokens of
    a prompt have its topic in common, and those of all prompts a mean; padding repeats nearly one token.
    """
    batch, tokens, width = shape
    common = torch.Generator().manual_seed(ENCODER_SEED)
    gain = torch.exp(0.2 * torch.randn(width, generator=common))
    mean, empty, start = 0.5 * torch.randn(3, width, generator=common)
    start[torch.randperm(width, generator=common)[:MASSIVE]] = math.sqrt(width)
    drift = torch.randn(tokens, width, generator=common)
    if generator is None:
        topic, ends = empty.expand(batch, width), [1] * batch
        own = torch.zeros(batch, tokens, width)
    else:
        topic = 0.6 * torch.randn(batch, width, generator=generator)
        ends = torch.randint(SHORTEST, LONGEST + 1, (batch,), generator=generator).tolist()
        own = torch.randn(batch, tokens, width, generator=generator)
    values = (mean + topic)[:, None] + 0.1 * drift
    for row, end in enumerate(ends):
        values[row, :end] += 0.8 * own[row, :end]
    values[:, 0] = start
    return functional.layer_norm(values, [width]) * gain


def _draw(
    one: ModelInput, model: nn.Module, count: int, sample: ModelInput, generator: torch.Generator
) -> torch.Tensor:
    shape = (count, *one.shape[1:])
    if one.name == "encoder_hidden_states":
        return text_like(shape, generator)
    if one.name == "time_ids":
        height, width = (PIXELS_PER_LATENT * side for side in sample.shape[2:])
        last = [height, width] if one.shape[1] == SDXL_IDS else [AESTHETIC_SCORE]
        return torch.tensor([[height, width, 0, 0, *last]], dtype=torch.float32).repeat(count, 1)
    if one.name == "class_labels" and not one.dtype.is_floating_point:
        return draw_labels(label_count(model), count, generator).reshape(shape)
    if one.name == "class_labels" and model_config(model).get("class_embed_type") == "timestep":
        return torch.randint(NOISE_LEVELS, shape, generator=generator).to(torch.float32)
    return torch.randn(shape, generator=generator)
