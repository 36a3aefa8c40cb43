"""Which inputs a UNet takes, and of which shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    AudioLDM2UNet2DConditionModel,
    Kandinsky3UNet,
    UNet1DModel,
    UNet2DConditionModel,
    UNet2DModel,
)
from diffusers.models.embeddings import ImageHintTimeEmbedding
from torch import nn

from ...ir.errors import DgqcError
from ...ir.masks import MASKED
from ...ir.sample_size import SampleSize
from .arguments import PLACES, in_order, place_of
from .conditionings import CONTROLS, of_calls, refuse_unknown
from .contexts import FIRST, context_widths
from .guidance import takes_guidance
from .sample_sizes import VIDEOS, sample_shape

UNETS = (
    UNet2DConditionModel,
    UNet2DModel,
    AudioLDM2UNet2DConditionModel,
    UNet1DModel,
    Kandinsky3UNet,
    *VIDEOS,
)
"""Models whose inputs a config says."""
NAMES = tuple(dict.fromkeys(place.name for place in PLACES if not place.several))
"""Inputs that a captured graph may have, in placeholder order, but those that are numbered."""

SDXL_IDS, REFINER_IDS = 6, 5
"""Time ids: original size, crop and target size; the refiner has an aesthetic score instead of the latter."""
HINT_PIXELS, HINT_CHANNELS = 8, 4
"""Side of the square of pixels that a latent's hint is made of, and how many channels it has."""
OPENCLIP_WIDTH = 1280
"""Of the pooled text embedding that SDXL and its refiner take."""


@dataclass(frozen=True)
class ModelInput:
    """One input of a UNet: its name, its shape at batch 1, its type."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32


def model_inputs(
    model: nn.Module, sample_size: SampleSize | None, context_length: int
) -> tuple[ModelInput, ...]:
    """The inputs of a diffusers UNet in placeholder order, `timestep` with shape (1,) among them.

    sample_size: height and width, of a video after its frames; of a sound 1 and its length; None takes the
        model's own.
    context_length: tokens in `encoder_hidden_states`.
    Raises DgqcError for another kind of model or a missing sample size, UnsupportedOperation for kinds of
    conditioning that dgqc does not know.
    """
    if (kind := type(model).__name__) in CONTROLS:
        raise DgqcError(of_calls(kind))
    if not isinstance(model, UNETS):
        raise DgqcError(
            f"A {type(model).__name__} is not a UNet that dgqc knows; give a diffusers UNet2DConditionModel "
            "or UNet2DModel, or export it (docs/own-unet.md)."
        )
    config = model_config(model)
    refuse_unknown(config)
    shape = sample_shape(model, sample_channels(config), sample_size)
    inputs = [
        ModelInput("sample", shape),
        ModelInput("timestep", (1,)),
    ]
    if not isinstance(model, UNet2DModel | UNet1DModel):
        inputs += [
            ModelInput(name, (1, context_length, width)) for name, width in context_widths(config).items()
        ]
    if isinstance(model, Kandinsky3UNet):
        inputs.append(ModelInput(MASKED[FIRST], (1, context_length)))
    inputs += _class_labels(model, config)
    if (pooled := text_width(config)) is not None:
        inputs.append(ModelInput("text_embeds", (1, pooled)))
    if (ids := _time_ids(config)) is not None:
        inputs.append(ModelInput("time_ids", (1, ids)))
    inputs += _embeddings(model, shape[2:])
    if (told := config.get("time_cond_proj_dim")) is not None and not takes_guidance(config):
        inputs.append(ModelInput("timestep_cond", (1, int(told))))
    return tuple(inputs)


def recorded_inputs(recorded: Mapping[str, torch.Tensor]) -> tuple[ModelInput, ...]:
    """The inputs that only a call shows, as one recorded call has them: what a ControlNet or an adapter
    gives, pictures' embeddings, masks."""
    found = [(name, place_of(name)) for name in sorted(recorded, key=in_order)]
    return tuple(
        ModelInput(name, (1, *recorded[name].shape[1:])) for name, place in found if place and place.recorded
    )


def _embeddings(model: nn.Module, size: SampleSize) -> list[ModelInput]:
    """Embeddings of a text and of a picture, of models whose time embedding they are added to, and a picture
    that hints at depth. size: height and width of the sample."""
    embedding = getattr(model, "add_embedding", None)
    layers = {"text_embeds": "text_proj", "image_embeds": "image_proj"}
    found = {name: getattr(embedding, layer, None) for name, layer in layers.items()}
    inputs = [ModelInput(n, (1, one.in_features)) for n, one in found.items() if isinstance(one, nn.Linear)]
    if isinstance(embedding, ImageHintTimeEmbedding):
        inputs.append(ModelInput("hint", (1, 3, *(HINT_PIXELS * side for side in size))))
    return inputs


def sample_channels(config: Mapping[str, Any]) -> int:
    """Channels of the sample; a hint adds those that are made of it."""
    hinted = config.get("addition_embed_type") == "image_hint"
    return int(config["in_channels"]) - (HINT_CHANNELS if hinted else 0)


def text_width(config: Mapping[str, Any]) -> int | None:
    """Numbers of the pooled text embedding that the model takes beside time ids; None where it takes none."""
    if config.get("addition_embed_type") != "text_time":
        return None
    width, each = _conditioning(config)
    return width - (_time_ids(config) or 0) * each


def _time_ids(config: Mapping[str, Any]) -> int | None:
    """How many time ids the model takes: six as SDXL, five as its refiner, as many as fit where it takes no
    text beside them (DreamLite); None where it takes none.

    A config says only how wide text embedding and ids are together. Both models' text embedding is
    OpenCLIP's, so the number of ids is the one that leaves its width; six for models of another width.
    Raises DgqcError where not even a text embedding is left.
    """
    kind = config.get("addition_embed_type")
    if kind not in ("text_time", "time"):
        return None
    width, each = _conditioning(config)
    if kind == "time":
        return width // each
    ids = next((ids for ids in (SDXL_IDS, REFINER_IDS) if width - ids * each == OPENCLIP_WIDTH), SDXL_IDS)
    if width - ids * each < 1:
        raise DgqcError(
            f"The model's config has projection_class_embeddings_input_dim={width}, which is less than {ids} "
            f"time ids of {each} numbers; give the config that the model was saved with."
        )
    return ids


def _conditioning(config: Mapping[str, Any]) -> tuple[int, int]:
    """Numbers of text embedding and time ids together, and of one embedded id."""
    found = [config.get("projection_class_embeddings_input_dim"), config.get("addition_time_embed_dim")]
    width, each = (value if isinstance(value, int) else 0 for value in found)
    if width < 1 or each < 1:
        raise DgqcError(
            "The model's config has addition_embed_type='text_time', but not the widths of its inputs; give "
            "the config that the model was saved with."
        )
    return width, each


def model_config(model: nn.Module) -> Mapping[str, Any]:
    """A diffusers model's configuration; empty for other modules."""
    config: Any = getattr(model, "config", {})
    return dict(config)


def context_width(config: Mapping[str, Any]) -> int | None:
    """Numbers of each token that a text encoder gives the model; None where its config doesn't say, where it
    takes none, and where several networks give it tokens."""
    widths = context_widths(config)
    return widths.get("encoder_hidden_states") if len(widths) == 1 else None


def _class_labels(model: nn.Module, config: Mapping[str, Any]) -> list[ModelInput]:
    if getattr(model, "class_embedding", None) is None:
        return []
    kind = config.get("class_embed_type")
    if kind in ("projection", "simple_projection"):
        width = int(config["projection_class_embeddings_input_dim"])
        return [ModelInput("class_labels", (1, width))]
    if kind == "identity":
        width = int(config.get("time_embedding_dim") or config["block_out_channels"][0] * 4)
        return [ModelInput("class_labels", (1, width))]
    if kind == "timestep":
        return [ModelInput("class_labels", (1,))]
    return [ModelInput("class_labels", (1,), torch.int64)]
