"""Building fusion groups: which nodes can run together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import or_

from torch import fx

from ....ir.views import View, root_of
from ..kernels.registry import row_arguments
from .rows import group_rows, keeps_rows, row_sources

MOST_ROWS_IN_ONE = 32
"""Rows of one value that may make up a row of another: heads of a token, say."""


@dataclass
class FusionBuilder:
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
                flows = source in by_rows and keeps_rows(source) and self._fits(stream, [node])
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

    def _fits(self, stream: int, group: list[fx.Node]) -> bool:
        """Whether a stream's rows are whole rows of a group's, or the other way round; but not so many that
        few blocks would be left."""
        if row_arguments(self.groups[stream][0]) is None:
            return False
        few, many = sorted((group_rows(self.groups[stream]), group_rows(group)))
        return many % few == 0 and many // few <= MOST_ROWS_IN_ONE

    def _may_join(self, a: int, b: int) -> bool:
        """Whether two streams can be one: neither reads a value of the other whole, nothing has to run
        between them, and their rows fit."""
        if not self._fits(a, self.groups[b]):
            return False
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
