"""What was measured, kept by the hash of everything it was measured on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..ir.errors import DgqcError
from ..ir.storage.json_text import read_json_object
from ..ir.storage.schema import JSON, Record, checked
from ..ir.storage.whole import write_bytes

CHUNK = 1 << 20


def digest(*parts: Any) -> str:
    """SHA-256 of values that JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def files_digest(place: Path) -> str:
    """SHA-256 of a file, or of all files below a folder with their names."""
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.relative_to(place)}:{file.stat().st_size}:".encode())
        with file.open("rb") as stream:
            while block := stream.read(CHUNK):
                found.update(block)
    return found.hexdigest()


class MeasurementRecord(Record):
    """One measurement: what it was measured on, and what was found."""

    key: list[JSON]
    value: JSON


@dataclass(frozen=True)
class Store:
    """A folder with a file for each measurement; it may be deleted at any time.

    Files are written beside their place and renamed, so that each is whole or not there. One that is damaged
    counts as none.
    """

    folder: Path

    def value(self, key: Sequence[Any], make: Callable[[], Any]) -> Any:
        """A JSON value: what is kept under the key, or what `make` gives, which is kept from then on."""
        path = self._path(key, "json")
        if path.is_file() and (kept := _kept(path)) is not None:
            return kept.value
        value = json.loads(json.dumps(make()))
        write_bytes(path, json.dumps({"key": list(key), "value": value}, indent=1).encode())
        return value

    def pictures(self, key: Sequence[Any], make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Pictures, kept in the same way."""
        path = self._path(key, "npy")
        if path.is_file() and (kept := _kept_pictures(path)) is not None:
            return kept
        made = make()
        buffer = BytesIO()
        np.save(buffer, made)
        write_bytes(path, buffer.getvalue())
        return made

    def _path(self, key: Sequence[Any], suffix: str) -> Path:
        return self.folder / f"{digest(*key)}.{suffix}"


def _kept(path: Path) -> MeasurementRecord | None:
    try:
        return checked(MeasurementRecord, read_json_object(path), str(path), "delete it")
    except DgqcError:
        return None


def _kept_pictures(path: Path) -> NDArray[np.uint8] | None:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    good = isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.ndim == 4
    return cast("NDArray[np.uint8]", found) if good else None
