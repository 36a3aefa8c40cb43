"""Limits of a UNet's config, looked at before anything is built from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import diffusers
from pydantic import ConfigDict, Field

from ...ir.errors import DgqcError, one_line
from ...ir.reading import reading
from ...ir.storage.json_text import parse_json
from ...ir.storage.schema import Record, checked
from .constructor_schema import LARGEST_NUMBER, check_config

CLASSES = tuple(
    name
    for name in (
        "UNet2DConditionModel",
        "UNet2DModel",
        "AudioLDM2UNet2DConditionModel",
        "ControlNetModel",
        "T2IAdapter",
        "DreamLiteUNetModel",
        "UNetMotionModel",
        "UNet1DModel",
        "UNet3DConditionModel",
        "Kandinsky3UNet",
    )
    if hasattr(diffusers, name)
)
"""Those that this diffusers has."""
_JOINED = "; in ControlNet-XS both networks are one, which stays float: take a ControlNet of the usual kind"
_DECODER = "; a decoder is compiled with its pipeline (give the pipeline's folder, and --parts all)"
WITH_PIPELINE = "; what stands beside a UNet is compiled with its pipeline: give the pipeline's folder"
_VIDEO = "; of videos dgqc compiles UNetMotionModel (AnimateDiff) and UNet3DConditionModel"
_OTHER = "; it is no UNet of convolutions and attention on pictures"
INSTEAD: Mapping[str, str] = {
    "ControlNetXSAdapter": _JOINED,
    "UNetControlNetXSModel": _JOINED,
    "AutoencoderKL": _DECODER,
    "AutoencoderTiny": _DECODER,
    "VQModel": _DECODER,
    "UNetSpatioTemporalConditionModel": _VIDEO,
    "I2VGenXLUNet": _VIDEO,
    "SparseControlNetModel": "; AnimateDiff's sparse ControlNet stays float: record its pipeline's calls "
    "in dgqc.recording(pipe.unet), and compile the UNet with them",
    "StableCascadeUNet": _OTHER,
    "PriorTransformer": _OTHER,
    "MotionAdapter": "; put this one into a UNet with UNetMotionModel.from_unet2d, and save that",
    "ControlNetUnionModel": "; this one stays float, and what it adds are inputs of its UNet's program: call "
    "the pipeline in dgqc.recording(pipe.unet), and compile the UNet with that",
}
"""What owners of other models can do."""
MOST_LAYERS = 2000
"""Residual blocks and transformer layers; SDXL's UNet has 87."""

Layers = Annotated[int, Field(ge=0, le=MOST_LAYERS)]
Width = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
Blocks = Annotated[list[Width], Field(min_length=1, max_length=32)]


class UNetConfigRecord(Record):
    """What decides how much is built; the rest of a config is diffusers' to understand."""

    model_config = ConfigDict(extra="allow")

    block_out_channels: Blocks = Field(default=[320, 640, 1280, 1280])
    layers_per_block: Layers | list[Layers] = 2
    transformer_layers_per_block: Layers | list[Layers | list[Layers]] = 1
    reverse_transformer_layers_per_block: Layers | list[Layers | list[Layers]] | None = None
    in_channels: Width = 4
    out_channels: Width = 4
    cross_attention_dim: Width | list[Width | list[Width | None]] | None = 1280
    num_class_embeds: Width | None = None
    sample_size: Width | list[Width] | None = None
    channels: Blocks | None = None
    num_res_blocks: Layers = 0


def checked_config(config: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The config as plain JSON values.

    Raises DgqcError for another model's, for numbers that no model has, and for more layers than can be built
    in a reasonable time.
    """
    name = config.get("_class_name")
    if not isinstance(name, str) or name not in CLASSES:
        raise _other(config, source)
    with reading(f"The config of {source}", "give the config.json that the UNet was saved with"):
        plain: dict[str, Any] = parse_json(json.dumps(dict(config)), f"The config of {source}")
    remedy = "give the config.json that the UNet was saved with"
    record = checked(UNetConfigRecord, plain, f"The config of {source}", remedy)
    check_config(getattr(diffusers, name), plain, f"The config of {source}", remedy)
    layers = _layers(record)
    if layers > MOST_LAYERS:
        raise DgqcError(
            f"The config of {source} describes {layers} layers, but dgqc builds up to {MOST_LAYERS}; "
            f"{remedy}."
        )
    return plain


def _other(config: Mapping[str, Any], source: str) -> DgqcError:
    """What to say of a config that is no UNet's. Models of transformers have a list of architectures."""
    name, architectures = config.get("_class_name"), config.get("architectures")
    if not name and isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        name = one_line(architectures[0], 100)
    if not name:
        kind = "a model without a _class_name"
    elif not isinstance(name, str):
        kind = f"a model whose _class_name is {one_line(repr(name), 100)}"
    else:
        kind = with_article(name)
    instead = INSTEAD.get(name) if isinstance(name, str) else None
    if instead is None and architectures:
        instead = WITH_PIPELINE
    if instead is not None:
        return DgqcError(f"{source} describes {kind}, which dgqc does not compile{instead}.")
    return DgqcError(
        f"{source} describes {kind}, but dgqc compiles {', '.join(CLASSES[:-1])} and {CLASSES[-1]}."
    )


def with_article(name: str) -> str:
    """A class's name in a sentence."""
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"


def _layers(record: UNetConfigRecord) -> int:
    """Residual blocks, each with its transformer layers: an upper bound of what is built."""
    blocks = max(len(record.block_out_channels), len(record.channels or ()))
    per_block = max(_largest(record.layers_per_block), record.num_res_blocks)
    both = (record.transformer_layers_per_block, record.reverse_transformer_layers_per_block or 0)
    return 2 * blocks * (per_block + 1) * (1 + max(_largest(one) for one in both))


def _largest(value: Any) -> int:
    if isinstance(value, list):
        return max((_largest(one) for one in value), default=0)
    return int(value)
