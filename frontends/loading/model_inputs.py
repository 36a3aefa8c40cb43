"""Which inputs a UNet takes, and of which shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from torch import nn

from ...ir.errors import DgqcError, UnsupportedOperation
from .arguments import PLACES, in_order, place_of
from .conditionings import refuse_unknown

NAMES = tuple(dict.fromkeys(place.name for place in PLACES if not place.several))
"""Inputs that a captured graph may have, in placeholder order, but those that are numbered."""

SDXL_IDS, REFINER_IDS = 6, 5
"""Time ids: original size, crop and target size; the refiner has an aesthetic score instead of the latter."""
OPENCLIP_WIDTH = 1280
"""Of the pooled text embedding that SDXL and its refiner take."""


@dataclass(frozen=True)
class ModelInput:
    """One input of a UNet: its name, its shape at batch 1, its type."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32


def model_inputs(
    model: nn.Module, sample_size: tuple[int, int] | None, context_length: int
) -> tuple[ModelInput, ...]:
    """The inputs of a diffusers UNet in placeholder order, `timestep` with shape (1,) among them.

    sample_size: height and width; None takes the model's own `sample_size`.
    context_length: tokens in `encoder_hidden_states`.
    Raises DgqcError for another kind of model or a missing sample size, UnsupportedOperation for kinds of
    conditioning that dgqc does not know.
    """
    if not isinstance(model, UNet2DConditionModel | UNet2DModel):
        raise DgqcError(
            f"A {type(model).__name__} is not a UNet that dgqc knows; give a diffusers UNet2DConditionModel "
            "or UNet2DModel."
        )
    config = model_config(model)
    refuse_unknown(config)
    height, width = sample_size or own_size(config)
    inputs = [
        ModelInput("sample", (1, int(config["in_channels"]), height, width)),
        ModelInput("timestep", (1,)),
    ]
    if isinstance(model, UNet2DConditionModel) and _takes_context(config):
        width = context_width(config) or 0
        inputs.append(ModelInput("encoder_hidden_states", (1, context_length, width)))
    inputs += _class_labels(model, config)
    if (ids := _time_ids(config)) is not None:
        inputs += [ModelInput("text_embeds", (1, text_width(config) or 0)), ModelInput("time_ids", (1, ids))]
    return (*inputs, *_embeddings(model))


def recorded_inputs(recorded: Mapping[str, torch.Tensor]) -> tuple[ModelInput, ...]:
    """The inputs that only a call shows, as one recorded call has them: what a ControlNet or an adapter
    gives, pictures' embeddings, masks."""
    found = [(name, place_of(name)) for name in sorted(recorded, key=in_order)]
    return tuple(
        ModelInput(name, (1, *recorded[name].shape[1:])) for name, place in found if place and place.recorded
    )


def _takes_context(config: Mapping[str, Any]) -> bool:
    """Whether a conditional model is given a context.

    Kandinsky 2.2 makes its own of a picture's embedding. AudioLDM's blocks want contexts as wide as they are
    themselves, since they attend to themselves twice.
    """
    widths = config.get("cross_attention_dim")
    each = list(widths) if isinstance(widths, list | tuple) else []
    itself = len(set(each)) > 1 and each == list(config["block_out_channels"])
    return config.get("encoder_hid_dim_type") != "image_proj" and not itself


def _embeddings(model: nn.Module) -> list[ModelInput]:
    """Embeddings of a text and of a picture, of models whose time embedding they are added to."""
    embedding = getattr(model, "add_embedding", None)
    layers = {"text_embeds": "text_proj", "image_embeds": "image_proj"}
    found = {name: getattr(embedding, layer, None) for name, layer in layers.items()}
    return [ModelInput(n, (1, one.in_features)) for n, one in found.items() if isinstance(one, nn.Linear)]


def text_width(config: Mapping[str, Any]) -> int | None:
    """Numbers of the pooled text embedding that the model takes beside time ids; None where it takes none."""
    ids = _time_ids(config)
    return None if ids is None else _conditioning(config)[0] - ids * _conditioning(config)[1]


def _time_ids(config: Mapping[str, Any]) -> int | None:
    """How many time ids the model takes: six as SDXL, or five as its refiner; None where it takes none.

    A config says only how wide text embedding and ids are together. Both models' text embedding is
    OpenCLIP's, so the number of ids is the one that leaves its width; six for models of another width.
    Raises DgqcError where not even a text embedding is left.
    """
    if config.get("addition_embed_type") != "text_time":
        return None
    width, each = _conditioning(config)
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


def own_size(config: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of a model's latents. Raises DgqcError where its config doesn't say."""
    size = config.get("sample_size")
    if isinstance(size, int):
        return size, size
    if isinstance(size, Sequence) and len(size) == 2:
        return int(size[0]), int(size[1])
    raise DgqcError(
        f"The model's config gives no sample size (it says {size!r}); pass sample_size=(height, width) of "
        "the latents."
    )


def context_width(config: Mapping[str, Any]) -> int | None:
    """Numbers of each token that the model takes; None where its config doesn't say, or it takes none."""
    if not _takes_context(config):
        return None
    projected = config.get("encoder_hid_dim_type") is not None
    width = config.get("encoder_hid_dim" if projected else "cross_attention_dim")
    if width is None:
        return None
    widths = {int(width)} if isinstance(width, int) else {int(one) for one in width}
    if len(widths) != 1:
        raise UnsupportedOperation(
            f"The model's blocks want contexts of different widths ({sorted(widths)}), but there is one "
            "encoder_hidden_states input; use one cross_attention_dim for all blocks."
        )
    return widths.pop()


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
