"""What an adapter's file holds: changes by the layer that they are of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ...ir.errors import DgqcError, one_line
from ...ir.reading import reading
from ...ir.storage.json_text import parse_json, read_json_object
from ..loading.checkpoints import unwrapped
from ..loading.foreign_weights import foreign_kind
from ..loading.original_layout import is_original
from ..loading.pickles import read_pickle
from ..loading.weight_files import read_safetensors
from ..loading.weights import not_plain
from .adapter import Adapter
from .formulas import Change
from .leaves import leaf_of
from .scales import Scales, scales_of

NAMES = (
    "adapter_model.safetensors",
    "pytorch_lora_weights.safetensors",
    "adapter_model.bin",
    "pytorch_lora_weights.bin",
)
"""What peft and diffusers call an adapter in a folder, the preferred first."""
CONFIG, METADATA = "adapter_config.json", "lora_adapter_metadata"
FORMS = "give a .safetensors of LoRA, LoHa, LoKr or DoRA, or peft's folder"


@dataclass(frozen=True)
class Layer:
    """A layer that a file changes. part: of the pipeline, None where the file doesn't say. name: as there."""

    part: str | None
    name: str


@dataclass(frozen=True)
class AdapterFile:
    """All that a file holds.

    path: the file itself. strength: how much the changes count. changes: by layer. keys: one of each layer's
    tensors, to name it by. unknown: tensors that are no part of a change.
    """

    path: Path
    strength: float
    changes: Mapping[Layer, Change]
    keys: Mapping[Layer, str]
    unknown: tuple[str, ...]


def read_adapter(adapter: Adapter) -> AdapterFile:
    """The changes in a file, in float32. Raises DgqcError where it is none, or damaged."""
    path = _file(adapter.path)
    with reading(str(path), FORMS):
        tensors = _tensors(path)
        scales = dict(_scales(path))
    found: dict[Layer, dict[str, torch.Tensor]] = defaultdict(dict)
    kinds, keys, unknown = dict[Layer, str](), dict[Layer, str](), list[str]()
    for key, tensor in tensors.items():
        if not isinstance(key, str):
            raise DgqcError(f"{path} calls a tensor {one_line(repr(key), 100)}, which is no name; {FORMS}.")
        leaf = leaf_of(key)
        if leaf is None:
            unknown.append(key)
            continue
        layer = Layer(leaf.part, leaf.layer)
        found[layer][leaf.what] = finite(tensor, key, path, FORMS)
        keys.setdefault(layer, key)
        if layer not in kinds or leaf.kind != "lora":
            kinds[layer] = leaf.kind
    changes = {layer: Change(kinds[layer], parts, _factor(scales, layer)) for layer, parts in found.items()}
    for layer, change in changes.items():
        if not change.whole:
            raise DgqcError(
                f"{path} holds {', '.join(sorted(change.tensors))} alone of the change at {keys[layer]}; "
                f"{FORMS}."
            )
    if not changes and is_original(dict.fromkeys(unknown)):
        raise DgqcError(f"{path} holds a whole model, not what changes one; {FORMS}.")
    if not changes and (held := foreign_kind(unknown)):
        raise DgqcError(f"{path} holds {held}.")
    if not changes:
        first = f" ({one_line(unknown[0], 100)} for instance)" if unknown else ""
        raise DgqcError(f"{path} holds no changes of layers{first}; {FORMS}.")
    return AdapterFile(path, adapter.strength, changes, keys, tuple(unknown))


def _file(path: Path) -> Path:
    if path.is_dir():
        file = next((path / name for name in NAMES if (path / name).is_file()), None)
        if file is None:
            raise DgqcError(f"{path} holds no adapter ({' or '.join(NAMES)}); {FORMS}.")
        return file
    if not path.is_file():
        raise DgqcError(f"{path} does not exist; {FORMS}.")
    return path


def _tensors(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    return unwrapped(read_pickle(path), path)[0]


def _scales(path: Path) -> Iterator[tuple[str | None, Scales]]:
    """By part of the pipeline (None for all), what a configuration says."""
    if path.name.startswith("adapter_model") and (path.parent / CONFIG).is_file():
        yield None, scales_of(read_json_object(path.parent / CONFIG), str(path.parent / CONFIG))
        return
    if path.suffix != ".safetensors":
        return
    with safe_open(path, framework="pt", device="cpu") as file:
        text = (file.metadata() or {}).get(METADATA)
    described = parse_json(text, f"the metadata of {path}") if text else {}
    parts = defaultdict[str, dict[str, Any]](dict)
    for key, value in (described if isinstance(described, dict) else {}).items():
        part, dot, name = key.partition(".")
        parts[part if dot else ""][name if dot else key] = value
    for part, config in parts.items():
        yield part or None, scales_of(config, f"the metadata of {path}")


def _factor(scales: Mapping[str | None, Scales], layer: Layer) -> float | None:
    found = scales.get(layer.part, scales.get(None))
    return None if found is None else found.factor(layer.name)


def finite(tensor: Any, key: str, path: Path, forms: str) -> torch.Tensor:
    """A file's tensor in float32. forms: what to give instead of a file where it is none, or not finite.

    Raises DgqcError there.
    """
    if not isinstance(tensor, torch.Tensor):
        raise DgqcError(f"{path}: {one_line(key, 100)} is a {type(tensor).__name__}, not a tensor; {forms}.")
    # Alphas are whole numbers in some files.
    if (tensor.dim() or tensor.is_floating_point()) and (fault := not_plain(tensor)):
        raise DgqcError(f"{path}: {one_line(key, 100)} is {fault}; {forms}.")
    found = tensor.detach().to(torch.float32)
    if not bool(torch.isfinite(found).all()):
        raise DgqcError(f"{path}: {one_line(key, 100)} holds NaN or infinite values; give a file without.")
    return found
