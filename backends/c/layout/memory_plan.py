"""The memory plan: where each value of the integer graph lies."""

from __future__ import annotations

from dataclasses import dataclass

from ....ir.storage.encoding import storable
from ....ir.views import View
from ..kernels.runtime_header import defined

ALIGNMENT = defined("DGQC_ALIGNMENT")
"""Every buffer starts at a multiple of this many bytes."""
CACHE = ".cache"
"""Ends the name of the buffer that outlives a call."""
MOMENTS = 2
"""Of each fusion group: kernels prepare, then rows are computed."""


@storable("c")
@dataclass(frozen=True)
class Buffer:
    """Bytes that live from one moment to another.

    name: the node's name; `node.2` for the third result of an op, `node.shared` for what its kernel prepares,
        `node.scratch` for what it needs while it runs, `node.cache` for what it keeps from call to call.
    first, last: moments when it is written and last read. A group has two, the twofold of its place in the
        plan, when its kernels prepare, and the next, when rows are computed; of a thread buffer, moments
        are places in the group of the nodes.
    offset: into the arena, or into a thread's part of it.
    """

    name: str
    bytes: int
    first: int
    last: int
    offset: int = 0

    @property
    def end(self) -> int:
        """The first aligned offset after it."""
        return self.offset + aligned(self.bytes)

    @property
    def range(self) -> str:
        """Its bytes as text."""
        return f"{self.offset} .. {self.offset + self.bytes}"

    @property
    def life(self) -> str:
        """Its first and last group as text."""
        return f"groups {group_at(self.first)} .. {group_at(self.last)}"


@storable("c")
@dataclass(frozen=True)
class MemoryPlan:
    """One arena: a part that all threads share, then a part for each thread.

    shared_bytes: of the part that all share. thread_bytes: of each thread's part.
    buffers: in the shared part. thread_buffers: in the threads' parts. views: values without memory of their
        own.
    output: the value that is computed straight in the caller's output; None where the output is copied there.
    """

    shared_bytes: int
    thread_bytes: int
    buffers: tuple[Buffer, ...]
    thread_buffers: tuple[Buffer, ...]
    views: tuple[View, ...]
    output: str | None

    @property
    def cache(self) -> Buffer | None:
        """What outlives a call; None where nothing does."""
        return next((buffer for buffer in self.buffers if buffer.name.endswith(CACHE)), None)

    def arena_bytes(self, threads: int) -> int:
        """The whole arena's size."""
        return self.shared_bytes + threads * self.thread_bytes

    def lines(self) -> list[str]:
        """As text."""
        head = f"memory: {self.shared_bytes} bytes for all threads, {self.thread_bytes} for each"
        shared = [f"  {buffer.range}: {buffer.name}, {buffer.life}" for buffer in self.buffers]
        inner = [f"  {buffer.range} of each thread: {buffer.name}" for buffer in self.thread_buffers]
        views = [f"  {view.name}: {view.offset} bytes into {view.of}" for view in self.views]
        return [head, *shared, *inner, *views, f"  output: {self.output or 'copied'}"]


def group_at(moment: int) -> int:
    """The place of the group whose moment this is."""
    return moment // MOMENTS


def aligned(size: int) -> int:
    """Rounded up to the alignment of buffers."""
    return -(-size // ALIGNMENT) * ALIGNMENT
