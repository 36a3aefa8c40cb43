"""Finished units on disk, by the hash of everything they were made from."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ....ir.errors import DgqcError
from ....ir.storage.json_text import parse_json
from ....ir.storage.schema import Record, checked
from ....ir.storage.whole import whole_file

VARIABLE = "DGQC_CACHE"
"""Names the folder; else `dgqc` in the user's cache folder."""


@dataclass(frozen=True)
class Learned:
    """What was learned of a unit.

    codes: int8, by weight. factors: float64 (1,) or (T,), by site. before, after: the unit's error with what
    it came with, and with this. scales: float64 (N,), by weight; those that are left out stay.
    """

    codes: dict[str, torch.Tensor]
    factors: dict[str, torch.Tensor]
    before: float
    after: float
    scales: dict[str, torch.Tensor] = field(default_factory=dict)


class LearnedRecord(Record):
    """What is said of a unit beside its tensors; see `Learned`."""

    before: float
    after: float


def default_folder() -> Path:
    """Where units are kept when nobody says otherwise."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dgqc"


@dataclass(frozen=True)
class Cache:
    """A folder with one file a unit; it may be deleted at any time."""

    folder: Path

    def load(self, key: str) -> Learned | None:
        """What is kept under a key. A file that is damaged counts as none."""
        path = self._path(key)
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                text = (file.metadata() or {})["learned"]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            about = checked(LearnedRecord, parse_json(text, str(path)), str(path), "delete it")
        except (SafetensorError, OSError, KeyError, ValueError, DgqcError):
            return None
        codes, factors, scales = (
            {name.partition("/")[2]: t for name, t in tensors.items() if name.startswith(kind)}
            for kind in ("codes/", "factor/", "scale/")
        )
        return Learned(codes, factors, about.before, about.after, scales)

    def save(self, key: str, learned: Learned) -> None:
        """Keeps it: written beside its place and renamed, so that it is whole or not there.

        Raises DgqcError when the folder can't be written.
        """
        tensors = {f"codes/{name}": codes.contiguous() for name, codes in learned.codes.items()}
        tensors |= {f"factor/{name}": factor.contiguous() for name, factor in learned.factors.items()}
        tensors |= {f"scale/{name}": scale.contiguous() for name, scale in learned.scales.items()}
        about = {"learned": json.dumps({"before": learned.before, "after": learned.after})}
        path = self._path(key)
        try:
            with whole_file(path) as unfinished:
                save_file(tensors, str(unfinished), metadata=about)
        except (DgqcError, SafetensorError) as error:
            raise DgqcError(
                f"What was learned can't be kept in {self.folder} ({error}); give a writable folder with "
                f"cache= or {VARIABLE}."
            ) from error

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"
