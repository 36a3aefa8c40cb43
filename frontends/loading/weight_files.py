"""Weights in the files that diffusers writes: one or several, safetensors or pickled."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ...ir.errors import DgqcError
from ...ir.reading import reading
from ...ir.storage.mapped import remember_mapped
from .checkpoints import unwrapped
from .file_kinds import refuse_converted, refuse_other_kinds
from .pickles import read_pickle
from .pipeline_records import ShardsRecord, read_record
from .torchao_weights import without_torchao

log = logging.getLogger("dgqc")

STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
"""What the libraries call weights, the preferred first."""
FORMATS = ("safetensors", "bin")
SHARD = re.compile(r"-\d+-of-\d+", re.ASCII)
PREFERRED = ("", "fp16", "bf16")
"""Variants that are taken where nobody names one; "" has no name."""


def variant_of(name: str) -> str | None:
    """The variant, such as fp16, of a file of weights or an index as the libraries name it, "" for none.

    None for a file of another kind.
    """
    stem, *rest = SHARD.sub("", name).split(".")
    kinds = [one for one in rest if one in FORMATS]
    variants = [one for one in rest if one not in (*FORMATS, "index", "json")]
    if stem not in STEMS or len(kinds) != 1 or len(variants) > 1 or (rest[-1] == "json") != ("index" in rest):
        return None
    return variants[0] if variants else ""


def variants_in(folder: Path) -> list[str]:
    """The variants that a part's weights come in, sorted."""
    return sorted({one for path in folder.iterdir() if (one := variant_of(path.name)) is not None})


def weights_in(folder: Path, variant: str | None = None) -> tuple[Path, Mapping[str, Any]]:
    """The file that was chosen, and its tensors by name.

    variant: such as fp16, ema or non_ema; None takes the weights without a name, or else fp16's, bf16's or
        the only ones that there are.
    Raises DgqcError where there are none or not those, or where what there is is damaged.
    """
    file = _file_of(folder, variant)
    return file, _read_shards(file) if file.suffix == ".json" else _read_one(file)


def refuse_incomplete(folder: Path) -> None:
    """Raises DgqcError where a part's folder holds some of its weights and not all, or another library's.

    Nothing is read of weights that are there; a folder without any is taken.
    """
    if not variants_in(folder):
        refuse_converted(folder)
        return
    file = _file_of(folder, None)
    if file.suffix == ".json":
        _shards(file)


def _file_of(folder: Path, variant: str | None) -> Path:
    """The file or index of the variant that is meant."""
    chosen = _chosen(folder, variant)
    whole = [
        path for path in folder.iterdir() if variant_of(path.name) == chosen and not SHARD.search(path.name)
    ]
    if not whole:
        raise DgqcError(
            f"{folder} holds parts of its weights, but not the index that lists them "
            f"({STEMS[0]}.safetensors.index.json); copy all files of the folder."
        )
    file = min(whole, key=_preference)
    if variant is None and chosen:
        log.info("%s has no weights without a name; %s is taken.", folder, file.name)
    return file


def _preference(path: Path) -> tuple[int, bool, bool]:
    """Safetensors before pickles, one file before several."""
    parts = path.name.split(".")
    return STEMS.index(parts[0]), "bin" in parts, path.suffix == ".json"


def _chosen(folder: Path, variant: str | None) -> str:
    """The variant that is meant."""
    found = variants_in(folder)
    if not found:
        refuse_converted(folder)
        names = " or ".join(f"{STEMS[0]}.{kind}" for kind in FORMATS)
        raise DgqcError(
            f"{folder} holds a config but no weights ({names}); save it with unet.save_pretrained."
        )
    if variant is None and not {*PREFERRED} & {*found} and len(found) > 1:
        raise DgqcError(f"{folder} has weights as {', '.join(found)}; choose one with --variant.")
    if variant is None:
        return next((one for one in PREFERRED if one in found), found[0])
    if variant not in found:
        have = ", ".join(one or "weights without a name" for one in found)
        raise DgqcError(f"{folder} has no variant {variant} (it has {have}); choose another with --variant.")
    return variant


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Every tensor of a safetensors file by name. Raises DgqcError for one that is damaged."""
    refuse_other_kinds(path)
    with (
        reading(str(path), "it is not a complete safetensors file; copy it again"),
        safe_open(path, framework="pt", device="cpu") as file,
    ):
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    remember_mapped(path, found.values())
    return found


def safetensors_metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of itself. Raises DgqcError for one that is damaged."""
    with (
        reading(str(path), "it is not a complete safetensors file; copy it again"),
        safe_open(path, framework="pt", device="cpu") as file,
    ):
        return dict(file.metadata() or {})


def _read_one(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        return without_torchao(read_safetensors(path), safetensors_metadata(path), path)
    return unwrapped(read_pickle(path), path)[0]


def _read_shards(index: Path) -> dict[str, Any]:
    weights: dict[str, Any] = {}
    for shard in _shards(index):
        weights.update(_read_one(shard))
    return weights


def _shards(index: Path) -> list[Path]:
    """The files that an index lists. Raises DgqcError where one is not there."""
    record, _ = read_record(index, ShardsRecord)
    found = [index.parent / name for name in sorted(set(record.weight_map.values()))]
    if missing := next((one for one in found if not one.is_file()), None):
        raise DgqcError(f"{index} names {missing.name}, which is not beside it; copy all parts of the model.")
    return found
