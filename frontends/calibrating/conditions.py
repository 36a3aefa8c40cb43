"""Conditions for a model that comes alone, drawn so that they look as pipelines' do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ...ir.masks import MASKS
from ..loading.exported_unet import ExportedUNet
from ..loading.model_inputs import REFINER_IDS, ModelInput, model_config
from .context_readers import listened_to, reads_context

AESTHETIC_SCORE = 6.0
"""What SDXL's refiner is told where nobody says otherwise."""
PIXELS_PER_LATENT = 8
"""Side of the square of pixels that one latent stands for, for the picture sizes in SDXL's time ids."""
NOISE_LEVELS = 1000
"""Of a model that is told how noisy its condition is."""
CONTEXT = "encoder_hidden_states"
INVENTED = frozenset({CONTEXT, "encoder_hidden_states_1", "text_embeds", "image_embeds", "class_labels"})
TINY = torch.finfo(torch.float32).tiny
MASSIVE = 2
"""Channels that hold nearly all of CLIP's start token."""
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
    shapes = {one.name: (count, *one.shape[1:]) for one in taken}
    others = [one for one in taken if one.name != CONTEXT]
    drawn = {one.name: _draw(one, model, shapes[one.name], sample, generator) for one in others}
    if CONTEXT not in shapes:
        return Conditions(drawn, None)
    width = shapes[CONTEXT][-1]
    given, empty = text_like(shapes[CONTEXT], generator, listened_to(model, width))
    if not reads_context(model):
        return Conditions({CONTEXT: given, **drawn}, None)
    if "text_embeds" not in drawn:
        return Conditions({CONTEXT: given, **drawn}, {CONTEXT: empty, **drawn})
    # SDXL's pipeline says nothing with zeros.
    nothing = {CONTEXT: torch.zeros_like(empty), "text_embeds": torch.zeros_like(drawn["text_embeds"])}
    return Conditions({CONTEXT: given, **drawn}, {**drawn, **nothing})


def invents(model: nn.Module) -> bool:
    """Whether the model takes what only another network knows: a context, a text's or picture's embedding."""
    if isinstance(model, ExportedUNet):
        return any(one.name in INVENTED and one.dtype.is_floating_point for one in model.inputs)
    config = model_config(model)
    embedded = config.get("class_embed_type") in ("projection", "simple_projection", "identity")
    return reads_context(model) or embedded or config.get("addition_embed_type") is not None


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


def text_like(
    shape: Sequence[int], generator: torch.Generator, listened: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What text encoders' last layer norms give, float32 (B, N, D): of some prompts, and of the empty one.

    As in CLIP, the first token is the same in every prompt, the tokens of a prompt have its topic in common,
    those of all prompts a mean, and padding repeats nearly one token. Which encoder the model will be given
    is not known, so each row is another's: what all rows had in common would be what ranges are made for. In
    every second one the first token lies nearly all in two channels.

    listened: (D, D), from `listened_to`; tokens then lie where the model listens, as those that it was
    trained with do.
    """
    batch, tokens, width = shape
    gain = torch.exp(0.2 * torch.randn(batch, 1, width, generator=generator))
    mean, start, nothing = torch.randn(3, batch, 1, width, generator=generator)
    channels = torch.rand(batch, 1, width, generator=generator).topk(MASSIVE, -1).indices
    massive = torch.zeros(batch, 1, width).scatter_(-1, channels, 2 * math.sqrt(width))
    massive[1::2] = 0
    topic = torch.randn(batch, 1, width, generator=generator)
    own = torch.randn(batch, tokens, width, generator=generator)
    drift = 0.1 * torch.randn(batch, tokens, width, generator=generator)
    ends = torch.randint(SHORTEST, LONGEST + 1, (batch, 1, 1), generator=generator)
    words = torch.arange(tokens)[:, None] < ends
    given = 0.5 * mean + 0.6 * topic + torch.where(words, 0.8 * own, drift)
    empty = 0.5 * mean + 0.6 * nothing + drift
    given[:, :1] = empty[:, :1] = start
    found = []
    for values in (given, empty):
        heard = values if listened is None else values @ listened
        # How loud is what is heard differs from model to model.
        heard = heard / heard.square().mean(-1, keepdim=True).sqrt().clamp_min(TINY)
        heard[:, :1] += massive
        found.append(functional.layer_norm(heard, [width]) * gain)
    return found[0], found[1]


def _draw(
    one: ModelInput,
    model: nn.Module,
    shape: tuple[int, ...],
    sample: ModelInput,
    generator: torch.Generator,
) -> torch.Tensor:
    if one.name == "time_ids":
        height, width = (PIXELS_PER_LATENT * side for side in sample.shape[-2:])
        last = [AESTHETIC_SCORE] if one.shape[1] == REFINER_IDS else [height, width]
        ids = [height, width, 0, 0, *last][: one.shape[1]]
        return torch.tensor([ids], dtype=torch.float32).repeat(shape[0], 1)
    if one.name in MASKS:
        return torch.ones(shape)
    if one.name == "class_labels" and not one.dtype.is_floating_point:
        return draw_labels(label_count(model), shape[0], generator).reshape(shape)
    if one.name == "class_labels" and model_config(model).get("class_embed_type") == "timestep":
        return torch.randint(NOISE_LEVELS, shape, generator=generator).to(torch.float32)
    return torch.randn(shape, generator=generator)
