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


@dataclass(frozen=True)
class Store:
    """A folder with a file for each measurement; it may be deleted at any time.

    Files are written beside their place and renamed, so that each is whole or not there.
    """

    folder: Path

    def value(self, key: Sequence[Any], make: Callable[[], Any]) -> Any:
        """A JSON value: what is kept under the key, or what `make` gives, which is kept from then on."""
        path = self._path(key, "json")
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))["value"]
        value = json.loads(json.dumps(make()))
        write_bytes(path, json.dumps({"key": list(key), "value": value}, indent=1).encode())
        return value

    def pictures(self, key: Sequence[Any], make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Pictures, kept in the same way."""
        path = self._path(key, "npy")
        if path.is_file():
            return cast("NDArray[np.uint8]", np.load(path))
        made = make()
        buffer = BytesIO()
        np.save(buffer, made)
        write_bytes(path, buffer.getvalue())
        return made

    def _path(self, key: Sequence[Any], suffix: str) -> Path:
        return self.folder / f"{digest(*key)}.{suffix}"
