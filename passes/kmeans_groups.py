"""`kmeans-groups`: indices with similar ranges share a quantizer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.plans import GroupedOperand, PlacedOperand, Ranges
from ..ir.program import Program
from ..ir.progress import track
from .base import Pass
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
        plans = dict(program.plans)
        placed = [(name, plan) for name, plan in plans.items() if isinstance(plan, PlacedOperand)]
        with threadpool_limits(limits=1):
            for name, plan in track(placed, "grouping", len(placed)):
                group = cluster(plan.ranges, self.groups)
                plans[name] = GroupedOperand(plan.operand, plan.dimension, plan.ranges, group)
        return replace(program, plans=plans).with_report(
            self.name, {"groups": self.groups, "operands": len(placed)}
        )


def cluster(ranges: Ranges, groups: int) -> torch.Tensor:
    """The group of each index, int64 (n,), numbered 0 .. G-1 in the order in which they first appear.

    ranges: (T, n). G is `groups` or the number of distinct ranges, whichever is smaller.
    """
    points = torch.cat([ranges.low, ranges.high]).T.double().numpy()
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
