"""`kmeans-groups`: indices with similar ranges share a quantizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy
import torch
from sklearn.cluster import KMeans

from ...ir.plans import PlacedOperand, Ranges
from ..manager.registry import register_pass
from .grouping import Grouping, in_order


@register_pass
@dataclass(frozen=True)
class KMeansGroups(Grouping):
    """K-means on the ranges of each index along the operand's outlier dimension (DGQ section 3.3).

    groups: K; fewer where there are fewer distinct ranges. 1 means one quantizer per operand.

    Our deviation: one assignment for all calls, clustered on the ranges of all of them at once (a point
    per index with 2 T coordinates), so that channels can be permuted once; scales still differ per call.
    Seeded, so the same samples give the same groups.
    """

    name: ClassVar[str] = "kmeans-groups"

    def assign(self, plan: PlacedOperand) -> torch.Tensor:
        return cluster(plan.ranges, self.groups)


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
    return in_order(labels)
