"""The constants of a loaded program: in the library, mapped from a file, or read from it as they are used."""

from __future__ import annotations

import ctypes
import os
import weakref
from pathlib import Path
from typing import Any

import torch

from ....ir.errors import DgqcError
from ..emission.project import Signature
from ..emission.storage import Storage


class HeldConstants:
    """Constants in memory, which handles share.

    number, second: what `NAME_init` takes after their place, and its type: how many bytes they are.
    """

    second: Any = ctypes.c_size_t

    def __init__(self, address: int, size: int, held: object = None) -> None:
        """held: what must live as long."""
        self._address, self.number, self._held = address, size, held

    def place(self) -> int:
        """Where they are."""
        return self._address


class StreamedConstants:
    """A reader of its own for each handle, since calls may run at once: what they read lies in their arenas.

    number, second: what `NAME_init` takes after the reader, and its type: where the constants begin in the
    file.
    """

    number, second = 0, ctypes.c_uint64

    def __init__(self, library: ctypes.CDLL, path: Path) -> None:
        self._library, self._path = library, path
        library.open_weights.restype = ctypes.c_void_p
        library.close_weights.argtypes = [ctypes.c_void_p]

    def place(self) -> int:
        """A new reader. Raises DgqcError where the file can't be opened."""
        reader = self._library.open_weights(os.fsencode(self._path))
        if not reader:
            raise DgqcError(f"{self._path} can't be opened; copy or compile it again.")
        weakref.finalize(self, self._library.close_weights, reader)
        return int(reader)


def constants_of(
    library: ctypes.CDLL, signature: Signature, path: Path | None
) -> HeldConstants | StreamedConstants:
    """What a program needs to be made ready. Pages of a mapped file are read when they are first used.

    path: the file; None where they are in the library.
    Raises DgqcError where it isn't there, or isn't as large as it must be.
    """
    name, size = signature.name, signature.weights_bytes
    if path is None:
        return HeldConstants(ctypes.addressof(ctypes.c_char.in_dll(library, f"{name}_weights")), size)
    found = path.stat().st_size if path.is_file() else 0
    if found != size:
        raise DgqcError(
            f"{path} should hold the program's {size} bytes of constants, but "
            f"{f'holds {found}' if found else 'is missing'}; copy or compile it again."
        )
    if signature.storage is Storage.STREAM:
        return StreamedConstants(library, path.resolve())
    mapped = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
    return HeldConstants(mapped.data_ptr(), size, mapped)
