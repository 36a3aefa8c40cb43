"""`fuse-rows`: what can run block of rows by block of rows, without a detour through memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ....ir.arithmetic.operands import ensure_shapes
from ....ir.caching import skipped_nodes
from ....ir.level import Level
from ....ir.ops.integer import has_weight, reads_all_keys
from ....ir.program import Program
from ....ir.views import View, is_computed, views_of
from ....passes.base import Pass
from ....passes.manager.registry import register_pass
from ..kernels.registry import row_arguments, rows_together
from ..kernels.runtime_header import defined
from ..kernels.value_rows import row_count
from .fusion_builder import FusionBuilder
from .fusion_groups import EIGHT, FusionGroup, FusionPlan
from .plan import CLayout, layout_of
from .rows import group_rows, work
from .thread_buffers import inner_values, thread_bytes


@register_pass
@dataclass(frozen=True)
class FuseRows(Pass):
    """Puts chains and trees of row-wise ops into fusion groups; the graph stays as it is (docs/c-backend.md).

    A node joins the groups that it reads by rows, unless it would have to wait for something that waits for
    them. What shallow calls skip stands in groups of its own. Values that nobody else reads then live in
    thread buffers of a few rows.

    fuse: off gives each node a group of its own. tile: KiB that a thread's buffers and scratch memory may
    take, about half of a core's second cache; for a microcontroller, what can be spared. rows: fewest rows of
    a block that reads weights, whatever the memory, since each block reads them anew; of one that reads keys,
    up to 16. parallel: thousands of values (1024 each; 64 products count as one) from which on threads share
    a group, since waiting for each other takes them some microseconds.
    """

    name: ClassVar[str] = "fuse-rows"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    provides: ClassVar[frozenset[str]] = frozenset({"fusion-groups"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"memory-plan"})

    fuse: bool = True
    tile: int = 256
    rows: int = 64
    parallel: int = 32

    def run(self, program: Program) -> Program:
        ensure_shapes(program)
        nodes = list(program.graph.graph.nodes)
        bands = layout_of(program).bands
        builder = FusionBuilder(views_of(nodes), frozenset(bands), skipped_nodes(program.graph.graph))
        for node in nodes:
            if is_computed(node, builder.views):
                builder.add(node, self.fuse)
        groups = tuple(self._group(group, builder.views) for group in builder.in_order())
        joined = [" -> ".join(group.nodes) for group in groups if len(group.nodes) > 1]
        return replace(program, layout=CLayout(FusionPlan(groups), bands=bands)).with_report(
            self.name, {"groups": joined, "alone": len(groups) - len(joined)}
        )

    def _group(self, group: list[fx.Node], views: dict[str, View]) -> FusionGroup:
        """A group of nodes with what lives in thread buffers and its block."""
        names = tuple(node.name for node in group)
        if row_arguments(group[0]) is None:
            return FusionGroup(names)
        rows, inner = group_rows(group), inner_values(group, views)
        least = max(-(-self._fewest(node) * rows // row_count(node)) for node in group)
        together = math.lcm(*(-(-rows_together(node)[0] * rows // row_count(node)) for node in group))
        sizes = [together * size for size in _block_sizes(rows // together)]
        sizes = [size for size in sizes if size >= least] or [rows]
        fitting = (size for size in sizes if thread_bytes(group, inner, size, views) <= self.tile * 1024)
        parallel = sum(work(node) for node in group) >= self.parallel * 1024
        whole = EIGHT if together == 1 else together
        return FusionGroup(names, rows, next(fitting, sizes[-1]), inner, parallel, whole)

    def _fewest(self, node: fx.Node) -> int:
        """The fewest rows of one node that are worth a block."""
        if has_weight(node):
            return max(self.rows, rows_together(node)[1])
        return min(self.rows, defined("DGQC_ATTEND_ROWS")) if reads_all_keys(node) else 1


def _block_sizes(rows: int) -> list[int]:
    """All rows, then powers of two and one and a half times these, downwards."""
    powers = [2**exponent for exponent in range(rows.bit_length())]
    halves = [3 * power for power in powers if power >= 8]
    return [rows, *sorted((size for size in powers + halves if size < rows), reverse=True)]
