"""What others made of the model: a folder that is whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def converted(folder: Path, convert: Callable[[Path], None]) -> Path:
    """The folder, filled by `convert` where it isn't there yet."""
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        convert(unfinished)
        os.replace(unfinished, folder)
    return folder


def size(folder: Path) -> int:
    """Bytes of its files."""
    return sum(file.stat().st_size for file in folder.iterdir())
