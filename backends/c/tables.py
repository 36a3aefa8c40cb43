"""The constants of a program: one block of bytes, each tensor in it once."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy
import torch

from ...ir.memory import aligned
from .call import Place, Region

WEIGHTS = "run->weights"
"""The emitted name of the block."""
MAGIC, FORMAT = b"dgqc.wts", 1
"""How a block begins. The format is raised whenever an older program could misread it."""
HEADER_BYTES = 64
PIECE = 2**24
"""Bytes that are added up at a time."""


@dataclass
class Tables:
    """What the kernels of one program read: weights, columns, tables over steps.

    bytes: of the block, header and padding included; every tensor begins at a multiple of 64.
    """

    bytes: int = HEADER_BYTES
    _starts: dict[str, int] = field(default_factory=dict)
    _tensors: list[torch.Tensor] = field(default_factory=list)

    def add(self, tensor: torch.Tensor, offset: int = 0, step_bytes: int = 0) -> Place:
        """A pointer to the tensor's elements; equal tensors stand in the block once."""
        tensor = tensor.detach().contiguous()
        key = f"{tensor.dtype} {hashlib.sha256(_bytes(tensor)).hexdigest()}"
        if key not in self._starts:
            self._starts[key] = self.bytes
            self._tensors.append(tensor)
            self.bytes += aligned(tensor.nbytes)
        return Place(Region.CONSTANT, WEIGHTS, offset, step_bytes, tensor, start=self._starts[key])

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """In the order in which they stand behind the header."""
        return tuple(self._tensors)

    def pieces(self) -> Iterator[bytes]:
        """What stands behind the header, a tensor at a time."""
        for tensor in self._tensors:
            yield _bytes(tensor).tobytes() + bytes(aligned(tensor.nbytes) - tensor.nbytes)

    def header(self) -> bytes:
        """How the block begins: magic, format, header bytes, all bytes, two sums over what follows."""
        total, sums = sums_of(self.pieces())
        head = struct.pack("<8sIIQQQ", MAGIC, FORMAT, HEADER_BYTES, self.bytes, total, sums)
        return head.ljust(HEADER_BYTES, b"\0")


def sums_of(pieces: Iterator[bytes]) -> tuple[int, int]:
    """The sum of all 32-bit words, and the sum of that sum's values on the way, both modulo 2^64.

    The second tells words that changed places. pieces: each a multiple of 4 bytes.
    """
    total = sums = 0
    for piece in pieces:
        for first in range(0, len(piece), PIECE):
            words = numpy.frombuffer(piece[first : first + PIECE], dtype="<u4").astype(numpy.uint64)
            weighted = words * numpy.arange(len(words), 0, -1, dtype=numpy.uint64)
            sums = (sums + len(words) * total + int(weighted.sum(dtype=numpy.uint64))) % 2**64
            total = (total + int(words.sum(dtype=numpy.uint64))) % 2**64
    return total, sums


def _bytes(tensor: torch.Tensor) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.uint8]]:
    return tensor.reshape(-1).view(torch.uint8).numpy()
