"""`stream-rows`: what can run block of rows by block of rows, without a detour through memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import ClassVar

from torch import fx

from ..ir.level import Level
from ..ir.memory import View
from ..ir.program import Program
from ..ir.rows import KEYS, WEIGHTS, keeps_rows, row_arguments, row_count, row_sources
from ..ir.scratch import ensure_shapes
from ..ir.streams import Stream, StreamPlan
from ..ir.views import is_computed, root_of, views_of
from .base import Pass
from .registry import register_pass
from .tiles import inner_values, tile_bytes

LANES = 16
"""Rows that a kernel of attention computes at once."""


@register_pass
@dataclass(frozen=True)
class StreamRows(Pass):
    """Puts chains and trees of row-wise ops into streams; the graph stays as it is (docs/c-backend.md).

    A node joins the streams that it reads by rows, unless it would have to wait for something that waits for
    them. Values that nobody else reads then live in a tile of a few rows, which each thread has for itself.

    fuse: off gives each node a stream of its own. tile: KiB that a thread's tile and scratch memory may take,
    about half of a core's second cache; for a microcontroller, what can be spared. rows: fewest rows of a
    block that reads weights, whatever the tile, since each block reads them anew; of one that reads keys, up
    to 16.
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
        rows, tile = row_count(group[0]), inner_values(group, views)
        least = self.rows if any(node.target in WEIGHTS for node in group) else 1
        if any(node.target in KEYS for node in group):
            least = max(least, min(self.rows, LANES))
        sizes = [size for size in _block_sizes(rows) if size >= least] or [rows]
        fitting = (size for size in sizes if tile_bytes(group, tile, size, views) <= self.tile * 1024)
        return Stream(names, rows, next(fitting, sizes[-1]), tile)


def _block_sizes(rows: int) -> list[int]:
    """All rows, then powers of two and one and a half times these, downwards."""
    powers = [2**exponent for exponent in range(rows.bit_length())]
    return sorted({rows, *(p for p in powers if p < rows), *(3 * p for p in powers if 16 <= 3 * p < rows)})[
        ::-1
    ]


@dataclass
class Forest:
    """Nodes joined to streams.

    views: of the graph. groups: each stream's nodes in the order of the graph; a stream that has joined
    another leaves an empty list behind. before: for each stream, those that must have run before it, as bits.
    apart: those of them that it reads whole. home: each node's stream. order: all nodes.
    """

    views: dict[str, View]
    groups: list[list[fx.Node]] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    apart: list[int] = field(default_factory=list)
    home: dict[str, int] = field(default_factory=dict)
    order: list[fx.Node] = field(default_factory=list)

    def add(self, node: fx.Node, fuse: bool) -> None:
        """Gives a node a stream of its own, then joins that with the streams it reads by rows."""
        own, read = len(self.groups), dict[int, bool]()
        by_rows = row_sources(node)
        for source in node.all_input_nodes:
            stream = self.home.get(root_of(source, self.views))
            if stream is not None:
                flows = source in by_rows and keeps_rows(source) and self._has_rows(stream, row_count(node))
                read[stream] = flows and read.get(stream, True)
        self.groups.append([node])
        self.before.append(reduce(or_, (1 << stream | self.before[stream] for stream in read), 0))
        self.apart.append(reduce(or_, (1 << stream for stream, flows in read.items() if not flows), 0))
        self.home[node.name] = own
        self.order.append(node)
        for stream in sorted((stream for stream, flows in read.items() if flows and fuse), reverse=True):
            if self._may_join(stream, own):
                own = self._join(stream, own)

    def in_order(self) -> Iterator[list[fx.Node]]:
        """The streams, each behind those that must have run before it."""
        done, left = 0, [stream for stream, group in enumerate(self.groups) if group]
        while left:
            stream = next(s for s in left if not self.before[s] & ~done)
            left.remove(stream)
            done |= 1 << stream
            yield self.groups[stream]

    def _has_rows(self, stream: int, rows: int) -> bool:
        first = self.groups[stream][0]
        return row_arguments(first) is not None and row_count(first) == rows

    def _may_join(self, a: int, b: int) -> bool:
        """Whether two streams can be one: neither reads a value of the other whole, and nothing has to run
        between them."""
        if self.apart[a] >> b & 1 or self.apart[b] >> a & 1:
            return False
        after_a, after_b = self._after(a), self._after(b)
        return not (after_a & self.before[b] or after_b & self.before[a])

    def _after(self, stream: int) -> int:
        """The streams that must run after one, as bits."""
        return reduce(
            or_, (1 << other for other, before in enumerate(self.before) if before >> stream & 1), 0
        )

    def _join(self, a: int, b: int) -> int:
        """Moves stream b into stream a."""
        after, both = self._after(a) | self._after(b), 1 << a | 1 << b
        self.groups[a] = [node for node in self.order if self.home[node.name] in (a, b)]
        self.groups[b] = []
        for node in self.groups[a]:
            self.home[node.name] = a
        before = (self.before[a] | self.before[b]) & ~both
        self.before[a], self.before[b] = before, 0
        for stream in range(len(self.groups)):
            if after >> stream & 1 and not both >> stream & 1:
                self.before[stream] = (self.before[stream] | before | 1 << a) & ~(1 << b)
            if self.apart[stream] >> b & 1:
                self.apart[stream] = (self.apart[stream] | 1 << a) & ~(1 << b)
        self.apart[a], self.apart[b] = (self.apart[a] | self.apart[b]) & ~both, 0
        return a
