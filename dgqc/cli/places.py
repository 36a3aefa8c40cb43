"""Where a command is to write, looked at before it works for long."""

from __future__ import annotations

import os
from pathlib import Path

from ..ir.errors import DgqcError


def check_file(place: Path, ends: tuple[str, ...] = ()) -> None:
    """Raises DgqcError where no file can be written, as far as that can be told without writing.

    ends: what its name may end in; nothing takes any.
    """
    if place.is_dir():
        raise DgqcError(f"{place} is a folder; give the name of a file.")
    if ends and place.suffix.lower() not in ends:
        raise DgqcError(f"{place} ends in none of {', '.join(ends)}; give such a name.")
    check_folder(place.parent)


def check_folder(place: Path) -> None:
    """Raises DgqcError where a folder neither is nor can be made, or nothing may be written in it."""
    there = place.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise DgqcError(f"{there} is a file, so {place} can be no folder; choose another place.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DgqcError(f"{there} may not be written to; choose another place, or change its permissions.")
