"""Merges adapters into the weights of a model, before anything else sees them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ...ir.errors import DgqcError, one_line
from ..loading.original_names import original_names
from .adapter_file import AdapterFile, Layer
from .leaves import UNET, flattened

log = logging.getLogger("dgqc")

SHOWN = 3
"""Names of a list."""
SAME_MODEL = "give an adapter that was trained on this kind of model"


def merge_adapters(parts: Mapping[str, nn.Module], files: Sequence[AdapterFile]) -> int:
    """Merges files into the parts of a pipeline that they are for, one after another, in float32.

    parts: by name, `unet` or `text_encoder`, which are changed in place.
    Returns how many changes are of text encoders that are not among the parts. Changes without a place are
    named in the log.
    Raises DgqcError for a file that changes nothing of a UNet, or whose shapes are another model's.
    """
    places = {name: _places(module) for name, module in parts.items()}
    return sum(_merge(places, file) for file in files)


@dataclass(frozen=True)
class _Found:
    """Where the changes of a file go. placed: with their layers. lost: without. elsewhere: of other parts."""

    placed: Mapping[Layer, nn.Module]
    lost: Sequence[Layer]
    elsewhere: Counter[str]


def _merge(places: Mapping[str, Mapping[str, nn.Module]], file: AdapterFile) -> int:
    found = _find(places, file)
    if UNET in places and not found.placed and not found.elsewhere:
        key = one_line(file.keys[found.lost[0]], 100)
        raise DgqcError(
            f"{file.path} changes {len(file.changes)} layers, {key} for instance, none of which this UNet "
            f"has; {SAME_MODEL}."
        )
    for layer, module in found.placed.items():
        _apply(file, layer, module)
    lost = [file.keys[layer] for layer in found.lost] + list(file.unknown if UNET in places else ())
    if lost:
        log.warning(
            "%s: %d of its layers go nowhere in this model and are left out: %s.",
            file.path,
            len(lost),
            ", ".join(one_line(one, 100) for one in lost[:SHOWN]),
        )
    log.info("%s is merged into %d layers, at %g.", file.path, len(found.placed), file.strength)
    return found.elsewhere.total()


def _find(places: Mapping[str, Mapping[str, nn.Module]], file: AdapterFile) -> _Found:
    placed, lost, elsewhere = dict[Layer, nn.Module](), list[Layer](), Counter[str]()
    for layer in file.changes:
        if layer.part is not None and layer.part not in places:
            elsewhere[layer.part] += layer.part != UNET
            continue
        wanted = [layer.part] if layer.part is not None else list(places)
        name = flattened(layer.name)
        module = next((places[part][name] for part in wanted if name in places[part]), None)
        if module is not None:
            placed[layer] = module
        elif layer.part is not None or UNET in places:
            lost.append(layer)
    return _Found(placed, lost, +elsewhere)


def _places(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that have weights, by all names that tools have for them."""
    layers = {name: one for name, one in module.named_modules() if isinstance(_weight(one), torch.Tensor)}
    found = {flattened(name): one for name, one in layers.items()}
    per_block = getattr(getattr(module, "config", None), "layers_per_block", None)
    if isinstance(per_block, int):
        for name, one in layers.items():
            for original in original_names(name, per_block):
                found.setdefault(flattened(original), one)
    return found


def _weight(module: nn.Module) -> torch.Tensor | None:
    found: torch.Tensor | None = getattr(module, "weight", None)
    return found


def _apply(file: AdapterFile, layer: Layer, module: nn.Module) -> None:
    change, key = file.changes[layer], one_line(file.keys[layer], 100)
    weight, bias = _weight(module), getattr(module, "bias", None)
    assert weight is not None
    if "bias_difference" in change.tensors and bias is None:
        raise DgqcError(f"{file.path}: {key} changes a bias, but the layer has none; {SAME_MODEL}.")
    try:
        with torch.no_grad():
            weight.copy_(change.weight(weight, file.strength))
            if bias is not None:
                bias.copy_(change.bias(bias, file.strength))
    except (ValueError, RuntimeError) as error:
        shape = " x ".join(str(size) for size in weight.shape)
        raise DgqcError(
            f"{file.path}: the change at {key} does not fit this model's layer of {shape} weights; "
            f"{SAME_MODEL}."
        ) from error
