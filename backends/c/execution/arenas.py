"""Memory for calls of one emitted program that run at once: an arena for each."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch

from ..kernels.runtime_header import defined

ARENA_ALIGNMENT = defined("DGQC_ALIGNMENT")


class Handle(ctypes.Structure):
    """The program's own struct, as its header has it."""

    _fields_: ClassVar = [
        ("weights", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("threads", ctypes.c_size_t),
        ("most_threads", ctypes.c_size_t),
        ("pool", ctypes.c_void_p),
        ("first", ctypes.c_uint64),  # where constants are read while it runs
    ]


class CachingHandle(Handle):
    """The struct of a program that keeps something from call to call: where, stands before what `Handle`
    has last."""

    _fields_: ClassVar = [("first_with_cache", ctypes.c_uint64)]

    def keep_at(self, place: int) -> None:
        """Sets where it is kept."""
        self.first = place


class Arenas:
    """Handles of one program, each with an arena that nobody else has meanwhile.

    Their number is that of calls that have ever run at once.
    """

    def __init__(self, size: int, weights: Callable[[], int], kind: type[Handle] = Handle) -> None:
        """size: bytes of an arena. weights: where a handle's constants are, or who reads them for it.
        kind: of handles."""
        self.size, self._kind = size, kind
        self._weights = weights
        self._first: Handle | None = None
        self._memory: list[torch.Tensor] = []
        self._free: list[Handle] = []  # a list's append and pop are safe among threads

    def first(self) -> Handle:
        """A handle with an arena alone, for the program's own `NAME_init` to fill. To be asked for once."""
        self._first = self._kind(arena=self._arena())
        self._free.append(self._first)
        return self._first

    @contextmanager
    def one(self) -> Iterator[Handle]:
        """A handle for one call."""
        try:
            handle = self._free.pop()
        except IndexError:
            handle = self._another()
        try:
            yield handle
        finally:
            self._free.append(handle)

    def _another(self) -> Handle:
        """As the first, which has been made ready: the constants need no second look."""
        assert self._first is not None
        first = self._first
        return self._kind(self._weights(), self._arena(), first.threads, first.most_threads)

    def _arena(self) -> int:
        memory = torch.zeros(self.size + ARENA_ALIGNMENT, dtype=torch.uint8)
        self._memory.append(memory)
        return -(-memory.data_ptr() // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
