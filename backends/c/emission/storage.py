"""The block of constants as files: a C array, an object file around a binary one, or that alone."""

from __future__ import annotations

import struct
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any

from .constants import HEADER_BYTES, WORD, ConstantBlock
from .literals import C_TYPES, values, words

LARGEST_ARRAY = 2**20
"""Bytes. A compiler takes half a second and 45 MB of memory over each megabyte of an array."""
LARGEST_OBJECT = 2**26
"""Bytes. What is larger isn't copied into every program that is linked."""


HEADER_WORDS = HEADER_BYTES // WORD


class Storage(StrEnum):
    """Where an emitted program's constants are."""

    ARRAY = "array"
    """In C, for any compiler."""
    OBJECT = "object"
    """In a binary file that the assembler includes (gcc, clang)."""
    FILE = "file"
    """In a binary file that the caller maps or loads."""
    STREAM = "stream"
    """In a binary file that is read while the program runs, in the order of use."""

    @property
    def apart(self) -> bool:
        """Whether a built program has them beside itself."""
        return self in (Storage.FILE, Storage.STREAM)

    @property
    def host(self) -> str:
        """What the files of a project are called that bring a computer's program its constants."""
        return "stream_weights" if self is Storage.STREAM else "map_weights"


def storage_for(size: int) -> Storage:
    """What suits a block of so many bytes."""
    if size <= LARGEST_ARRAY:
        return Storage.ARRAY
    return Storage.OBJECT if size <= LARGEST_OBJECT else Storage.FILE


def weights_file(name: str) -> str:
    """What a program's binary file is called."""
    return f"{name}_weights.bin"


def write_block(constants: ConstantBlock, path: Path, shipped: Path | None = None) -> None:
    """The binary file: the header, then every tensor.

    shipped: a file that is linked to where it holds just these bytes: a large one isn't written again.
    """
    if shipped is not None and holds_block(shipped, constants):
        path.symlink_to(shipped.resolve())
        return
    with path.open("wb") as file:
        file.write(constants.header())
        file.writelines(constants.pieces())


def holds_block(path: Path, constants: ConstantBlock) -> bool:
    """Whether a file holds these constants and nothing else."""
    if not path.is_file() or path.stat().st_size != constants.size:
        return False
    with path.open("rb") as file:
        pieces = chain([constants.header()], constants.pieces())
        return all(file.read(len(piece)) == piece for piece in pieces)


def header_words(constants: ConstantBlock) -> list[int]:
    """The header as eight 64-bit words."""
    return list(struct.unpack(f"<{HEADER_WORDS}Q", constants.header()))


def members(constants: ConstantBlock) -> list[dict[str, Any]]:
    """A struct that lies in memory as the block does: type, name, size and initializer of each member.

    Members reach up to the next one, so that there is nothing between them.
    """
    found = [
        {"type": "uint64_t", "name": "header", "size": HEADER_WORDS, "values": words(constants.header())}
    ]
    for number, (tensor, room) in enumerate(constants.parts()):
        kind = C_TYPES.get(tensor.dtype, "uint64_t")
        size = room // (tensor.element_size() if tensor.dtype in C_TYPES else WORD)
        found.append({"type": kind, "name": f"table_{number}", "size": size, "values": values(tensor)})
    return [member for member in found if member["size"]]
