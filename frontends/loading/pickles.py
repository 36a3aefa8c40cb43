"""Reads PyTorch pickles without running anything that the file brings along."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from ...ir.errors import DgqcError
from ...ir.reading import reading
from .file_kinds import refuse_damaged_zip, refuse_other_kinds

LAYERS = re.compile(r"(torch\.nn\.modules|diffusers\.models)(\.\w+)+", re.ASCII)
"""Names that stand for layers, and so for inert containers of weights."""

TRAINERS = re.compile(
    r"(pytorch_lightning|lightning|lightning_fabric|omegaconf)(\.\w+)+"
    r"|argparse\.Namespace|typing\.Any|numpy\.(core|_core)\.multiarray\.\w+|numpy\.(dtype|ndarray)",
    re.ASCII,
)
"""Names that stand for what training leaves beside weights: Stable Diffusion's first checkpoints hold
callbacks of Lightning's, and many hold numpy's numbers."""
CONFIGURATION = "diffusers.configuration_utils.FrozenDict"
DEEPEST = 64
"""Layers inside one another."""
MOST = 100_000
"""Weights of a model."""


class InertLayer:
    """Stands in for any layer class of a file: keeps what the file says of it, and does nothing.

    state: the layer's attributes as they were saved, of any kind. Subclasses carry the original class's name.
    It is no nn.Module, so no hook that the file brings along is ever called.
    """

    state: Any = None

    def __init__(self) -> None:
        raise TypeError("a layer in a file is restored, not constructed")

    def __setstate__(self, state: Any) -> None:
        self.state = state


class InertObject:
    """Stands in for what a trainer left beside weights: whatever made it and whatever it was is forgotten."""

    def __new__(cls, *_arguments: Any) -> InertObject:
        return super().__new__(cls)

    def __init__(self, *_arguments: Any) -> None:
        """Nothing is kept."""

    def __setstate__(self, state: Any) -> None:
        """Nothing is kept."""


def read_pickle(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU: tensors, containers, layers as InertLayers, trainers' things as
    InertObjects.

    The file's imports are listed before anything is unpickled, and one that is not of torch.nn.modules,
    diffusers.models or of what trainers leave is refused by name. None is imported. The unpickler is
    PyTorch's restricted one.
    Raises DgqcError for such a file, and for one that is no PyTorch pickle.
    """
    refuse_other_kinds(path)
    with reading(str(path), "it is no complete PyTorch file; copy or save it again with torch.save"):
        refuse_damaged_zip(path)
        with torch.serialization.safe_globals([_stand_in(name, path) for name in _imports(path)]):
            try:
                return torch.load(path, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
                    raise _refused(wanted.group(1), path) from error
                raise


def layer_weights(layer: InertLayer, path: Path) -> dict[str, Any]:
    """What the layer's `state_dict` would be: its parameters and persistent buffers by dotted name.

    Raises DgqcError where the layer's state isn't one of a layer.
    """
    with reading(str(path), "save a state dict, or a folder with unet.save_pretrained"):
        found: dict[str, Any] = {}
        for name, value in _weights(layer, "", 0):
            found[name] = value
            if len(found) > MOST:
                raise ValueError(f"it has more than {MOST} weights")
        return found


def _weights(layer: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    state = layer.state if isinstance(layer, InertLayer) else None
    if depth > DEEPEST or not isinstance(state, dict):
        raise ValueError(f"its layer {prefix or type(layer).__name__} has no state of a layer")
    parts = {name: state.get(name) or {} for name in ("_parameters", "_buffers", "_modules")}
    if not all(isinstance(part, dict) for part in parts.values()):
        raise ValueError(f"its layer {prefix or type(layer).__name__} has no state of a layer")
    passing = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, value in parts[kind].items():
            if value is not None and not (kind == "_buffers" and name in passing):
                yield f"{prefix}{name}", value
    for name, inner in parts["_modules"].items():
        if inner is not None:
            yield from _weights(inner, f"{prefix}{name}.", depth + 1)


def _imports(path: Path) -> list[str]:
    """Names of what the file would import, beyond what PyTorch always allows. Nothing is unpickled."""
    if not zipfile.is_zipfile(path):
        # The format before PyTorch 1.6: the restricted unpickler then allows no class at all.
        return []
    return sorted(set(torch.serialization.get_unsafe_globals_in_checkpoint(path)))


def _stand_in(name: str, path: Path) -> Any:
    """What is put in place of an import: an inert class, under the import's name."""
    if name == CONFIGURATION:
        return OrderedDict, name
    kind = InertLayer if LAYERS.fullmatch(name) else InertObject if TRAINERS.fullmatch(name) else None
    if kind is None:
        raise _refused(name, path)
    return type(name.rpartition(".")[2], (kind,), {}), name


def _refused(name: str, path: Path) -> DgqcError:
    if name.startswith("torchao."):
        return DgqcError(
            f"{path} holds tensors of torchao ({name}), which only its own code can read; load it with "
            "diffusers, call dequantize() of the model, and save that."
        )
    return DgqcError(
        f"{path} wants to import {name} while it is loaded, which could run code, so it is refused; give "
        "a file with weights or a diffusers UNet only, or a folder from unet.save_pretrained."
    )
