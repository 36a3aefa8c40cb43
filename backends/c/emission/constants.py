"""The constants of a program: one block of bytes, each tensor in it once."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy
import torch

from ..kernels.kernel_call import MemoryRegion, Place
from ..kernels.runtime_header import defined
from ..layout.memory_plan import aligned

WEIGHTS = "run->weights"
"""The emitted name of the block."""
MAGIC, FORMAT = b"dgqc.wts", 1
"""How a block begins. The format is raised whenever an older program could misread it."""
WORD = 8
HEADER_BYTES = defined("DGQC_WEIGHTS_HEADER") * WORD
SMALL = 1024
"""Bytes. Smaller tensors are aligned to words only: programs have thousands, of a few numbers each."""
PIECE = 2**24
"""Bytes that are added up at a time."""


@dataclass(frozen=True)
class Window:
    """Constants that are in memory together. start, size: bytes, in the block."""

    start: int
    size: int


@dataclass
class ConstantBlock:
    """What the kernels of one program read: weights, columns, tables over steps.

    All are in memory at once, or those of a window at a time (`begin_window`). In the block every tensor
    begins at a multiple of 64, small ones at a multiple of 8.
    """

    _starts: dict[str, int] = field(default_factory=dict)
    _tensors: list[torch.Tensor] = field(default_factory=list)
    _end: int = HEADER_BYTES
    _window_starts: list[int] = field(default_factory=list)

    def add(self, tensor: torch.Tensor, offset: int = 0, step_bytes: int = 0) -> Place:
        """A pointer to the tensor's elements; equal tensors stand in the block, or in a window, once."""
        tensor = tensor.detach().contiguous()
        key = f"{len(self._window_starts)} {tensor.dtype} {hashlib.sha256(_bytes(tensor).data).hexdigest()}"
        if key not in self._starts:
            self._starts[key] = self._end if tensor.nbytes < SMALL else aligned(self._end)
            self._tensors.append(tensor)
            self._end = self._starts[key] + -(-tensor.nbytes // WORD) * WORD
        start = self._starts[key] - (self._window_starts[-1] if self._window_starts else 0)
        return Place(MemoryRegion.CONSTANT, WEIGHTS, offset, step_bytes, tensor, start=start)

    def begin_window(self) -> None:
        """What is added from now on will be in memory by itself: places count from here, and what stands
        before isn't shared."""
        self._end = aligned(self._end)
        self._window_starts.append(self._end)

    @property
    def windows(self) -> list[Window]:
        """The windows in their order; together they are all that follows the header."""
        bounds = pairwise([*self._window_starts, self.size])
        return [Window(start, end - start) for start, end in bounds]

    @property
    def size(self) -> int:
        """Bytes of the block, header and padding included."""
        return aligned(self._end)

    def parts(self) -> Iterator[tuple[torch.Tensor, int]]:
        """What stands after the header in order: each tensor, and the bytes up to the next one."""
        starts = [*self._starts.values(), self.size]
        for tensor, (start, end) in zip(self._tensors, pairwise(starts), strict=True):
            yield tensor, end - start

    def pieces(self) -> Iterator[bytes]:
        """The same as bytes, a tensor at a time."""
        for tensor, size in self.parts():
            yield _bytes(tensor).tobytes().ljust(size, b"\0")

    def header(self) -> bytes:
        """How the block begins: magic, format, header bytes, all bytes, two sums over what follows."""
        total, sums = sums_of(self.pieces())
        head = struct.pack("<8sIIQQQ", MAGIC, FORMAT, HEADER_BYTES, self.size, total, sums)
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
