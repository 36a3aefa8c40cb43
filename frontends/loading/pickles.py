"""Reads PyTorch pickles without running anything that the file brings along."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...ir.errors import DgqcError

LAYERS = re.compile(r"(torch\.nn\.modules|diffusers\.models)(\.\w+)+")
"""Names that stand for layers, and so for inert containers of weights."""

CONFIGURATION = "diffusers.configuration_utils.FrozenDict"


class InertLayer(nn.Module):
    """Stands in for any layer class of a file: holds its weights and attributes, runs nothing.

    Subclasses carry the original class's name.
    """

    def __init__(self) -> None:
        raise TypeError("a layer in a file is restored, not constructed")


def read_pickle(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU: tensors, containers, and layers as InertLayers.

    The file's imports are listed before anything is unpickled, and one that is not of torch.nn.modules or
    diffusers.models is refused by name. None is imported: layers become InertLayers, whose `state_dict` is
    the original's. The unpickler is PyTorch's restricted one.
    Raises DgqcError for such a file, and for one that is no PyTorch pickle.
    """
    with torch.serialization.safe_globals([_stand_in(name, path) for name in _imports(path)]):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError, OSError) as error:
            raise _unreadable(path, error) from error
        except pickle.UnpicklingError as error:
            raise DgqcError(
                f"{path} holds more than weights{_import_in(error)}, so it is not loaded; save a diffusers "
                "folder with unet.save_pretrained instead."
            ) from error


def _imports(path: Path) -> list[str]:
    """Names of what the file would import, beyond what PyTorch always allows. Nothing is unpickled."""
    if not zipfile.is_zipfile(path):
        # The format before PyTorch 1.6: the restricted unpickler then allows no class at all.
        return []
    try:
        return sorted(set(torch.serialization.get_unsafe_globals_in_checkpoint(path)))
    except Exception as error:
        # The scanner stumbles over broken pickles in many ways; none of them has run anything.
        raise _unreadable(path, error) from error


def _stand_in(name: str, path: Path) -> Any:
    """What is put in place of an import: an inert class, under the import's name."""
    if name == CONFIGURATION:
        return OrderedDict, name
    if not LAYERS.fullmatch(name):
        raise DgqcError(
            f"{path} wants to import {name} while it is loaded, which could run code, so it is refused; give "
            "a file with weights or a diffusers UNet only, or a folder from unet.save_pretrained."
        )
    return type(name.rpartition(".")[2], (InertLayer,), {}), name


def _import_in(error: pickle.UnpicklingError) -> str:
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" (it wants to import {found.group(1)})" if found else ""


def _unreadable(path: Path, error: Exception) -> DgqcError:
    return DgqcError(
        f"{path} is not a complete PyTorch file ({_reason(error)}); copy or save it again with torch.save."
    )


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
