"""The memory plan: where each value of the integer graph lies."""

from __future__ import annotations

from dataclasses import dataclass

from .views import View

ALIGNMENT = 64
"""Every buffer starts at a multiple of this many bytes."""


@dataclass(frozen=True)
class Buffer:
    """Memory that lives from one stream to another.

    name: the node's name; `node.2` for the third result of an op, `node.shared` for what its kernel prepares,
        `node.scratch` for what it needs while it runs.
    first, last: places in the plan of the stream that writes it and of the last that reads it; of a tile,
    places
        in the stream of the nodes.
    offset: into the arena, or into a thread's own part of it.
    """

    name: str
    bytes: int
    first: int
    last: int
    offset: int = 0

    @property
    def end(self) -> int:
        """The first aligned offset behind it."""
        return self.offset + aligned(self.bytes)


@dataclass(frozen=True)
class MemoryPlan:
    """One arena: a part that all threads share, then a part for each thread.

    shared_bytes: of the part that all share. thread_bytes: of each thread's part.
    buffers: in the shared part. tiles: in the threads' parts. views: values without memory of their own.
    output: the value that is computed straight in the caller's output; None where the output is copied there.
    """

    shared_bytes: int
    thread_bytes: int
    buffers: tuple[Buffer, ...]
    tiles: tuple[Buffer, ...]
    views: tuple[View, ...]
    output: str | None

    def arena_bytes(self, threads: int) -> int:
        """The whole arena's size."""
        return self.shared_bytes + threads * self.thread_bytes


def aligned(size: int) -> int:
    """Rounded up to the alignment of buffers."""
    return -(-size // ALIGNMENT) * ALIGNMENT
