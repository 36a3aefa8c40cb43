"""Buffers with lives, packed into as little memory as is easily found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .memory_plan import Buffer, aligned


def pack(buffers: Iterable[Buffer]) -> list[Buffer]:
    """The buffers with offsets so that no two that live at the same time overlap: largest first, each at the
    lowest place that is free for its whole life."""
    chosen = list(buffers)
    placed: dict[int, Buffer] = {}
    for index in sorted(range(len(chosen)), key=lambda i: (-chosen[i].bytes, chosen[i].first)):
        buffer, offset = chosen[index], 0
        rivals = [b for b in placed.values() if b.first <= buffer.last and buffer.first <= b.last]
        for rival in sorted(rivals, key=lambda b: (b.offset, b.end)):
            if offset + aligned(buffer.bytes) <= rival.offset:
                break
            offset = max(offset, rival.end)
        placed[index] = replace(buffer, offset=offset)
    return [placed[index] for index in range(len(chosen))]


def size_of(buffers: Iterable[Buffer]) -> int:
    """Bytes that packed buffers take in all."""
    return max((buffer.end for buffer in buffers), default=0)


def alive_at(buffers: Iterable[Buffer], place: int) -> int:
    """Bytes in use at one time."""
    return sum(aligned(buffer.bytes) for buffer in buffers if buffer.first <= place <= buffer.last)


def lower_bound(buffers: Iterable[Buffer]) -> int:
    """The most bytes that live at one time: no arena can be smaller."""
    chosen = list(buffers)
    return max((alive_at(chosen, place) for place in {buffer.first for buffer in chosen}), default=0)
