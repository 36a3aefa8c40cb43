"""Which constants are read together where a program reads them while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..kernels.runtime_header import defined
from ..layout.memory_plan import aligned
from .constants import HEADER_BYTES, Window

ROOMS = defined("DGQC_STREAM_ROOMS")


@dataclass(frozen=True)
class Stream:
    """A program's windows in the order of use.

    windows: where each stands in the file. firsts: the fusion group that each begins with.
    offset: where the rooms begin in the arena, behind the values that all threads share.
    """

    windows: tuple[Window, ...]
    firsts: tuple[int, ...]
    offset: int

    @property
    def room_bytes(self) -> int:
        """What the largest window needs; the header is read there, too."""
        return max(HEADER_BYTES, *(aligned(window.size) for window in self.windows))

    @property
    def end(self) -> int:
        """Where the rooms end in the arena."""
        return self.offset + ROOMS * self.room_bytes


def firsts_of_windows(sizes: Sequence[int]) -> tuple[int, ...]:
    """The fusion groups with which windows begin, where each group's constants take so many bytes.

    No window is larger than the largest group, which a room must hold anyway; so reads are few and large.
    """
    most, firsts, taken = max(sizes), [0], 0
    for group, size in enumerate(sizes):
        if taken + size > most:
            firsts.append(group)
            taken = 0
        taken += size
    return tuple(firsts)
