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
    """Nodes joined to groups, which are known by their index.

    views: of the graph. bands: nodes that compute large values part by part, where memory has room for them:
        they only join what has run just before.
    skipped: nodes that shallow calls leave out: they are in no group with others.
    groups: each group's nodes in the order of the graph; a group that has joined another
    leaves an empty list. before: for each group, those that must have run before it, as bits.
    apart: those of them that it reads whole. home: each node's group. order: all nodes.
    """

    views: dict[str, View]
    bands: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    groups: list[list[fx.Node]] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    apart: list[int] = field(default_factory=list)
    home: dict[str, int] = field(default_factory=dict)
    order: list[fx.Node] = field(default_factory=list)

    def add(self, node: fx.Node, fuse: bool) -> None:
        """Gives a node a group of its own, then joins that with the groups it reads by rows."""
        joined, read = len(self.groups), dict[int, bool]()
        by_rows = row_sources(node)
        for source in node.all_input_nodes:
            index = self.home.get(root_of(source, self.views))
            if index is not None:
                flows = source in by_rows and keeps_rows(source) and self._fits(index, [node])
                read[index] = flows and read.get(index, True)
        if node.name in self.bands:
            near = self._just_before({index for index, flows in read.items() if flows})
            read = {index: flows and index in near for index, flows in read.items()}
        self.groups.append([node])
        self.before.append(reduce(or_, (1 << index | self.before[index] for index in read), 0))
        self.apart.append(reduce(or_, (1 << index for index, flows in read.items() if not flows), 0))
        self.home[node.name] = joined
        self.order.append(node)
        for index in sorted((index for index, flows in read.items() if flows and fuse), reverse=True):
            if self._may_join(index, joined):
                joined = self._join(index, joined)

    def in_order(self) -> Iterator[list[fx.Node]]:
        """The groups, each after those that must have run before it."""
        done, left = 0, [index for index, group in enumerate(self.groups) if group]
        while left:
            index = next(one for one in left if not self.before[one] & ~done)
            left.remove(index)
            done |= 1 << index
            yield self.groups[index]

    def _just_before(self, among: set[int]) -> set[int]:
        """Those of some groups that nothing else has run after."""
        found = set[int]()
        for node in reversed(self.order):
            if self.home[node.name] not in among:
                break
            found.add(self.home[node.name])
        return found

    def _fits(self, index: int, group: list[fx.Node]) -> bool:
        """Whether a group's rows are whole rows of another's, or the other way round; but not so many that
        few blocks would be left."""
        if row_arguments(self.groups[index][0]) is None:
            return False
        if (self.groups[index][0].name in self.skipped) != (group[0].name in self.skipped):
            return False
        few, many = sorted((group_rows(self.groups[index]), group_rows(group)))
        return many % few == 0 and many // few <= MOST_ROWS_IN_ONE

    def _may_join(self, a: int, b: int) -> bool:
        """Whether two groups can be one: neither reads a value of the other whole, nothing has to run
        between them, and their rows fit."""
        if not self._fits(a, self.groups[b]):
            return False
        if self.apart[a] >> b & 1 or self.apart[b] >> a & 1:
            return False
        after_a, after_b = self._after(a), self._after(b)
        return not (after_a & self.before[b] or after_b & self.before[a])

    def _after(self, index: int) -> int:
        """The groups that must run after one, as bits."""
        return reduce(or_, (1 << other for other, before in enumerate(self.before) if before >> index & 1), 0)

    def _join(self, a: int, b: int) -> int:
        """Moves group b into group a."""
        after, both = self._after(a) | self._after(b), 1 << a | 1 << b
        self.groups[a] = [node for node in self.order if self.home[node.name] in (a, b)]
        self.groups[b] = []
        for node in self.groups[a]:
            self.home[node.name] = a
        before = (self.before[a] | self.before[b]) & ~both
        self.before[a], self.before[b] = before, 0
        for index in range(len(self.groups)):
            if after >> index & 1 and not both >> index & 1:
                self.before[index] = (self.before[index] | before | 1 << a) & ~(1 << b)
            if self.apart[index] >> b & 1:
                self.apart[index] = (self.apart[index] | 1 << a) & ~(1 << b)
        self.apart[a], self.apart[b] = (self.apart[a] | self.apart[b]) & ~both, 0
        return a
