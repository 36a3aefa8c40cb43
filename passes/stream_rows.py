"""`stream-rows`: what can run block of rows by block of rows, without a detour through memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ..ir.arithmetic.operands import ensure_shapes
from ..ir.level import Level
from ..ir.program import Program
from ..ir.rows import KEYS, WEIGHTS, row_arguments, row_count, stream_rows, work
from ..ir.streams import Stream, StreamPlan
from ..ir.views import View, is_computed, views_of
from .base import Pass
from .manager.registry import register_pass
from .stream_forest import Forest
from .tiles import inner_values, tile_bytes

TILE = 8
"""Most rows that a kernel of attention computes at once."""


@register_pass
@dataclass(frozen=True)
class StreamRows(Pass):
    """Puts chains and trees of row-wise ops into streams; the graph stays as it is (docs/c-backend.md).

    A node joins the streams that it reads by rows, unless it would have to wait for something that waits for
    them. Values that nobody else reads then live in a tile of a few rows, which each thread has for itself.

    fuse: off gives each node a stream of its own. tile: KiB that a thread's tile and scratch memory may take,
    about half of a core's second cache; for a microcontroller, what can be spared. rows: fewest rows of a
    block that reads weights, whatever the tile, since each block reads them anew; of one that reads keys, up
    to 8. parallel: thousands of values (1024 each; 64 products count as one) from which on threads share a
    stream, since waiting for each other takes them some microseconds.
    """

    name: ClassVar[str] = "stream-rows"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    provides: ClassVar[frozenset[str]] = frozenset({"streams"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"memory-plan"})

    fuse: bool = True
    tile: int = 256
    rows: int = 64
    parallel: int = 32

    def run(self, program: Program) -> Program:
        ensure_shapes(program)
        nodes = list(program.graph.graph.nodes)
        forest = Forest(views_of(nodes))
        for node in nodes:
            if is_computed(node, forest.views):
                forest.add(node, self.fuse)
        streams = tuple(self._stream(group, forest.views) for group in forest.in_order())
        joined = [" -> ".join(stream.nodes) for stream in streams if len(stream.nodes) > 1]
        return replace(program, streams=StreamPlan(streams)).with_report(
            self.name, {"streams": joined, "alone": len(streams) - len(joined)}
        )

    def _stream(self, group: list[fx.Node], views: dict[str, View]) -> Stream:
        """A group of nodes with its tile and its block."""
        names = tuple(node.name for node in group)
        if row_arguments(group[0]) is None:
            return Stream(names)
        rows, tile = stream_rows(group), inner_values(group, views)
        least = max(-(-self._fewest(node) * rows // row_count(node)) for node in group)
        sizes = [size for size in _block_sizes(rows) if size >= least] or [rows]
        fitting = (size for size in sizes if tile_bytes(group, tile, size, views) <= self.tile * 1024)
        parallel = sum(work(node) for node in group) >= self.parallel * 1024
        return Stream(names, rows, next(fitting, sizes[-1]), tile, parallel)

    def _fewest(self, node: fx.Node) -> int:
        """The fewest rows of one node that are worth a block."""
        if node.target in WEIGHTS:
            return self.rows
        return min(self.rows, TILE) if node.target in KEYS else 1


def _block_sizes(rows: int) -> list[int]:
    """All rows, then powers of two and one and a half times these, downwards."""
    powers = [2**exponent for exponent in range(rows.bit_length())]
    halves = [3 * power for power in powers if power >= 8]
    return [rows, *sorted((size for size in powers + halves if size < rows), reverse=True)]
