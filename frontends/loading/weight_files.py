"""Weights in the files that diffusers writes: one or several, safetensors or pickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ...ir.errors import DgqcError
from ...ir.reading import reading
from .checkpoints import unwrapped
from .file_kinds import refuse_other_kinds
from .pickles import read_pickle
from .pipeline_records import ShardsRecord, read_record

WEIGHT_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    "model.safetensors",
    "diffusion_pytorch_model.bin",
    "diffusion_pytorch_model.bin.index.json",
    "diffusion_pytorch_model.fp16.bin",
)
"""What diffusers calls weights, the preferred first."""


def weights_in(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """The file that was chosen, and its tensors by name.

    Raises DgqcError where there is none, or one that is damaged.
    """
    file = next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)
    if file is None:
        raise DgqcError(
            f"{folder} holds a config but no weights ({', '.join(WEIGHT_FILES)}); save it with "
            "unet.save_pretrained."
        )
    if file.suffix == ".json":
        return file, _read_shards(file)
    return file, _read_one(file)


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a safetensors file by name. Raises DgqcError for one that is damaged."""
    refuse_other_kinds(path)
    with (
        reading(str(path), "it is not a complete safetensors file; copy it again"),
        safe_open(path, framework="pt", device="cpu") as file,
    ):
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)


def _read_one(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return read_safetensors(path)
    return unwrapped(read_pickle(path), path)[0]


def _read_shards(index: Path) -> dict[str, Any]:
    record, _ = read_record(index, ShardsRecord)
    weights: dict[str, Any] = {}
    for name in sorted(set(record.weight_map.values())):
        shard = index.parent / name
        if not shard.is_file():
            raise DgqcError(f"{index} names {name}, which is not beside it; copy all parts of the model.")
        weights.update(_read_one(shard))
    return weights
