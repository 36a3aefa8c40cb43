"""`error-groups`: indices share a quantizer where sharing costs least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy
import torch
from numpy.typing import NDArray

from ...ir.plans import PlacedOperand, Ranges
from ..manager.registry import register_pass
from .grouping import Grouping, in_order
from .kmeans_groups import cluster

Doubles = NDArray[numpy.float64]

FINE = 128
"""Where there are more indices, K-means makes so many groups of them first: pairs are looked at."""


@register_pass
@dataclass(frozen=True)
class ErrorGroups(Grouping):
    """Merges groups, at first of one index each, pair by pair, always those whose union costs least.

    A group's rounding error grows with the square of its scale, so a group of n indices costs
    n * (largest maximum - smallest minimum)^2, summed over the calls of the schedule; each call counts as a
    share of what it would cost if no index shared a quantizer, so that calls with small values have a say.
    K-means on ranges (`kmeans-groups`, the paper's) minimizes something else: the distance of ranges from
    their mean, while the widest of a group decides.

    groups: how many are left; fewer where there are fewer distinct ranges. One assignment for all calls.
    """

    name: ClassVar[str] = "error-groups"

    def assign(self, plan: PlacedOperand) -> torch.Tensor:
        return merged(plan.ranges, self.groups, plan.operand.padded)


def merged(ranges: Ranges, groups: int, padded: bool, weight: torch.Tensor | float = 1.0) -> torch.Tensor:
    """The group of each index, int64 (n,), numbered 0 .. G-1 in the order in which they first appear.

    ranges: (T, n). padded: whether every range includes 0. G is `groups` or the number of distinct ranges,
    whichever is smaller. weight: what a call counts beside the others, (T,) or the same for all.
    """
    low, high = ranges.low, ranges.high
    if padded:
        low, high = low.clamp(max=0), high.clamp(min=0)
    fine = cluster(Ranges(low, high), max(groups, FINE)).numpy()
    count = int(fine.max()) + 1
    lows, highs = (numpy.empty((count, len(low))) for _ in range(2))
    for one in range(count):
        lows[one] = low[:, fine == one].amin(dim=1)
        highs[one] = high[:, fine == one].amax(dim=1)
    least = (high - low).double().square().sum(dim=1)
    share = torch.where(least > 0, weight / least, 0.0).numpy()
    labels = _merge(lows, highs, numpy.bincount(fine).astype(numpy.float64), share, groups)[fine]
    return in_order(labels)


def _merge(
    low: Doubles, high: Doubles, members: Doubles, share: Doubles, groups: int
) -> NDArray[numpy.int64]:
    """The group of each of n starting groups. low, high: (n, T). members: (n,). share: (T,), of a call."""
    count = len(low)
    cost = members * ((high - low) ** 2 @ share)
    label = numpy.arange(count)

    def increases(one: int) -> Doubles:
        """What a union with each other group would add."""
        union = numpy.maximum(high, high[one]) - numpy.minimum(low, low[one])
        added: Doubles = (union**2 @ share) * (members + members[one]) - cost - cost[one]
        return added

    added = numpy.stack([increases(one) for one in range(count)])
    numpy.fill_diagonal(added, numpy.inf)
    gone = numpy.zeros(count, dtype=bool)
    for _ in range(count - groups):
        one, other = divmod(int(added.argmin()), count)
        low[one], high[one] = numpy.minimum(low[one], low[other]), numpy.maximum(high[one], high[other])
        members[one] += members[other]
        cost[one] = members[one] * ((high[one] - low[one]) ** 2 @ share)
        label[label == other] = one
        gone[other] = True
        row = increases(one)
        row[gone] = row[one] = numpy.inf
        added[one], added[:, one] = row, row
        added[other], added[:, other] = numpy.inf, numpy.inf
    return label
