"""`kmeans-groups`: indices with similar ranges share a quantizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import fx

from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.plans import Dimension, GroupedOperand, PlacedOperand, Plan, Ranges, Role
from ..ir.program import Program
from ..ir.progress import track
from .base import Pass
from .graph import dgqc, shape
from .registry import register_pass


@register_pass
@dataclass(frozen=True)
class KMeansGroups(Pass):
    """K-means on the ranges of each index along the operand's outlier dimension (DGQ section 3.3).

    groups: K; fewer where there are fewer distinct ranges. 1 means one quantizer per operand.

    Our deviation: one assignment for all calls, clustered on the ranges of all of them at once (a point
    per index with 2 T coordinates), so that channels can be permuted once; scales still differ per call.
    Seeded and single-threaded, so the same samples give the same groups.
    """

    groups: int = 8

    name: ClassVar[str] = "kmeans-groups"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"outlier-dims"})
    provides: ClassVar[frozenset[str]] = frozenset({"groups"})

    def __post_init__(self) -> None:
        if not 1 <= self.groups <= 256:
            raise DgqcError(f"kmeans-groups takes 1 to 256 groups, not {self.groups}.")

    def run(self, program: Program) -> Program:
        plans, count = grouped(program, lambda plan: cluster(plan.ranges, self.groups))
        return replace(program, plans=plans).with_report(
            self.name, {"groups": self.groups, "operands": count}
        )


def grouped(program: Program, assign: Callable[[PlacedOperand], torch.Tensor]) -> tuple[dict[str, Plan], int]:
    """The program's plans with each placed operand in groups, and how many these are.

    assign: gives the group of each index along an operand's dimension.
    """
    plans = dict(program.plans)
    placed = [(name, plan) for name, plan in plans.items() if isinstance(plan, PlacedOperand)]
    sites = {
        str(node.args[1]): node for node in program.graph.graph.nodes if node.target is dgqc.site.default
    }
    with threadpool_limits(limits=1):
        for name, plan in track(placed, "grouping", len(placed)):
            plans[name] = _in_groups(plan, assign(plan), sites[name])
    return plans, len(placed)


def _in_groups(plan: PlacedOperand, group: torch.Tensor, site: fx.Node) -> GroupedOperand:
    """One quantizer for a whole image has no dimension; along channels it is applied before a convolution
    gathers patches, along pixels to every patch anew: to nine values for each one with a kernel of 3 x 3.
    """
    dimension, ranges = plan.dimension, plan.ranges
    one_for_all = plan.operand.role is Role.CONVOLUTION and not bool(group.any())
    if one_for_all and dimension is Dimension.PIXEL:
        channels = shape(site)[1]
        low, high = ranges.low.amin(dim=1, keepdim=True), ranges.high.amax(dim=1, keepdim=True)
        dimension, group = Dimension.CHANNEL, torch.zeros(channels, dtype=torch.int64)
        ranges = Ranges(low.repeat(1, channels), high.repeat(1, channels))
    return GroupedOperand(plan.operand, dimension, ranges, group)


def cluster(ranges: Ranges, groups: int, precision: torch.dtype = torch.float64) -> torch.Tensor:
    """The group of each index, int64 (n,), numbered 0 .. G-1 in the order in which they first appear.

    ranges: (T, n). G is `groups` or the number of distinct ranges, whichever is smaller. precision: what
    K-means computes in; another one may end in another assignment.
    """
    points = torch.cat([ranges.low, ranges.high]).T.to(precision).numpy()
    distinct, inverse = numpy.unique(points, axis=0, return_inverse=True)
    if groups == 1:
        labels = numpy.zeros(len(points), dtype=numpy.int64)
    elif len(distinct) <= groups:
        labels = inverse.reshape(-1)
    else:
        labels = KMeans(n_clusters=groups, n_init=1, random_state=0).fit_predict(points)
    _, first, compact = numpy.unique(labels, return_index=True, return_inverse=True)
    rank = numpy.argsort(numpy.argsort(first))
    return torch.from_numpy(rank[compact.reshape(-1)].astype(numpy.int64))
