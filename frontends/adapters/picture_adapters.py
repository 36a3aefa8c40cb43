"""IP-Adapters from files: layers with which a UNet attends to pictures, beside the words of a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from ...ir.errors import DgqcError, one_line
from ...ir.reading import explained, reading
from ..loading.checkpoints import unwrapped
from ..loading.conditionings import FACE_AND_PICTURE
from ..loading.foreign_weights import foreign_kind
from ..loading.pickles import read_pickle
from ..loading.weight_files import read_safetensors
from .adapter import Adapter, adapters_of
from .adapter_file import finite
from .formulas import Change

PROJECTION, LAYERS = "image_proj", "ip_adapter"
"""What the two halves of such a file are called."""
FORMS = "give an IP-Adapter's .safetensors or .bin, as load_ip_adapter takes it"
ATTENDED = re.compile(r"(\d{1,4})\.to_k_ip\.weight", re.ASCII)
CHANGED = re.compile(r"(\d{1,4})\.to_(q|k|v|out)_lora\.down\.weight", re.ASCII)
OF_TWO_NETWORKS = "perceiver_resampler.proj_in.weight"
"""Stands in the projection of FaceID Plus, which reads a face's embedding and a picture's."""

Halves = Mapping[str, Mapping[str, torch.Tensor]]


@dataclass(frozen=True)
class PictureAdapters:
    """IP-Adapters as somebody names them.

    files: each with how strongly it counts. encoder: the folder of what reads pictures for them; None takes
    the pipeline's own, or the one beside the files.
    """

    files: tuple[Adapter, ...] = ()
    encoder: Path | None = None


NONE = PictureAdapters()


def picture_adapters_of(
    texts: str | Path | Sequence[str | Path], encoder: str | Path | None
) -> PictureAdapters:
    """IP-Adapters from `FILE` or `FILE:STRENGTH`, one or several. Raises DgqcError for an encoder alone."""
    files = adapters_of(texts)
    if encoder is not None and not files:
        raise DgqcError("An image encoder reads pictures for an IP-Adapter; name that with --ip-adapter.")
    return PictureAdapters(files, None if encoder is None else Path(encoder))


def show_pictures(unet: nn.Module, adapters: Sequence[Adapter], source: str) -> None:
    """Gives a UNet the layers of these adapters, one after another, which it is then always called for.

    unet: changed in place. source: what messages call it.
    Raises DgqcError for a file that is none, or another model's.
    """
    if not isinstance(unet, UNet2DConditionModel):
        raise DgqcError(f"{source} holds a {type(unet).__name__}, which takes no IP-Adapter; leave it out.")
    found = [_read(one.path) for one in adapters]
    for one, halves in zip(adapters, found, strict=True):
        _check(one.path, halves, unet)
        _merge_changes(one.path, halves[LAYERS], unet)
    anything: Any = unet
    files = ", ".join(str(one.path) for one in adapters)
    with explained(f"diffusers can't give the UNet in {source} the layers of {files}", FORMS):
        anything._load_ip_adapter_weights([dict(one) for one in found], low_cpu_mem_usage=False)
    for processor in anything.attn_processors.values():
        if hasattr(processor, "to_k_ip"):
            processor.scale = [one.strength for one in adapters]
    unet.requires_grad_(False).eval()


def _read(path: Path) -> Halves:
    """The projection's tensors and the layers', float32."""
    if path.is_dir():
        raise DgqcError(f"{path} is a folder; {FORMS}.")
    if not path.is_file():
        raise DgqcError(f"{path} does not exist; {FORMS}.")
    found: dict[str, dict[str, Any]] = {PROJECTION: {}, LAYERS: {}}
    with reading(str(path), FORMS):
        if path.suffix == ".safetensors":
            whole: Mapping[str, Any] = read_safetensors(path)
        else:
            whole = _flat(read_pickle(path), path)
        for key, value in whole.items():
            half, _, name = str(key).partition(".")
            if half in found:
                found[half][name] = finite(value, str(key), path, FORMS)
    if not all(found.values()):
        kind = foreign_kind(key for key in whole if not key.startswith(tuple(found)))
        held = f"holds {kind}" if kind else "holds no IP-Adapter (image_proj and ip_adapter)"
        raise DgqcError(f"{path} {held}; {FORMS}.")
    return found


def _flat(pickled: Any, path: Path) -> dict[str, Any]:
    """Tensors by names with dots, as safetensors have them."""
    if not isinstance(pickled, dict) or not all(isinstance(one, dict) for one in pickled.values()):
        return dict(unwrapped(pickled, path)[0])
    return {f"{half}.{name}": one for half, inside in pickled.items() for name, one in inside.items()}


def _check(path: Path, halves: Halves, unet: UNet2DConditionModel) -> None:
    """Raises DgqcError where the layers are another UNet's."""
    if OF_TWO_NETWORKS in halves[PROJECTION]:
        raise DgqcError(f"{path} {FACE_AND_PICTURE}.")
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    numbers = [int(found[1]) for key in halves[LAYERS] if (found := ATTENDED.fullmatch(key))]
    first = halves[LAYERS].get("1.to_k_ip.weight")
    width = unet.config.cross_attention_dim
    made = None if first is None else first.shape[-1]
    if sorted(numbers) != [2 * place + 1 for place in range(len(crossing))] or made != width:
        raise DgqcError(
            f"{path} has layers for {len(numbers)} cross attentions with contexts of {made} numbers, and the "
            f"UNet has {len(crossing)} of {width}; give an IP-Adapter for this kind of model."
        )


def _merge_changes(path: Path, layers: Mapping[str, torch.Tensor], unet: UNet2DConditionModel) -> None:
    """Merges the LoRA that adapters of faces have beside their layers."""
    names = [name.removesuffix(".processor") for name in unet.attn_processors]
    for key, down in layers.items():
        if (found := CHANGED.fullmatch(key)) and int(found[1]) < len(names):
            layer = unet.get_submodule(names[int(found[1])]).get_submodule(
                "to_out.0" if found[2] == "out" else f"to_{found[2]}"
            )
            up = layers.get(key.replace(".down.", ".up."))
            if up is None:
                raise DgqcError(f"{path}: {one_line(key, 100)} has no .up. beside it; {FORMS}.")
            _merge_change(layer, Change("lora", {"down": down, "up": up}), f"{path}: {key}")


def _merge_change(layer: Any, change: Change, source: str) -> None:
    try:
        with torch.no_grad():
            layer.weight.copy_(change.weight(layer.weight, 1.0))
    except (ValueError, RuntimeError) as error:
        raise DgqcError(f"{source} doesn't fit the UNet's layer; give one for this kind of model.") from error
