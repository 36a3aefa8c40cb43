"""Streams: what is computed together, block of rows by block of rows.

A stream is a plan beside the graph, which stays as it is, so no bit can change. The values that only the
stream's own nodes read live in a tile of a few rows that each thread has for itself, and never in the arena.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stream:
    """Nodes that run one after another for a block of rows, then for the next block.

    nodes: names, in the order they run. rows: of the value with the fewest; others have a multiple of these.
    block: most rows of a block; 0 where the one node is computed whole, not by rows. tile: values that live
    in the tile (`node`, or `node.2` for the third result of an op).
    """

    nodes: tuple[str, ...]
    rows: int = 0
    block: int = 0
    tile: tuple[str, ...] = ()
    parallel: bool = True


@dataclass(frozen=True)
class StreamPlan:
    """All streams in the order they run. Each node that is computed stands in exactly one of them; views,
    inputs, constants and rows of tables stand in none."""

    streams: tuple[Stream, ...]
