"""Which operands and weights are widened: those that cost most, until what all cost is little enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch

LESS = 0.5
"""A wider form is taken where it leaves at most such a share of the noise."""

Item = TypeVar("Item")


def widths(noise: Mapping[Item, torch.Tensor], allowed: float) -> Mapping[Item, int]:
    """The place of the form that each widened item takes; items that stay as they are aren't in it.

    noise: float64 (forms, calls) of each item, its first form being what it is. allowed: how much all items
    together may cost at each call. At the call that is furthest from it, the item that costs most takes the
    first of its later forms that costs half of that or less; items that have none are left.
    """
    chosen: dict[Item, int] = {}
    cost = {item: table[0] for item, table in noise.items()}
    left = set(cost)
    while left:
        total = torch.stack(list(cost.values())).sum(dim=0)
        if float(total.max()) <= allowed:
            break
        call = int(total.argmax())
        item = max((one for one in cost if one in left), key=lambda one: float(cost[one][call]))
        place = _next(noise[item], chosen.get(item, 0), call)
        if place is None:
            left.remove(item)
        else:
            chosen[item], cost[item] = place, noise[item][place]
    return chosen


def _next(table: torch.Tensor, now: int, call: int) -> int | None:
    column = table[:, call]
    better = (column[now + 1 :] <= LESS * column[now]).nonzero()
    return now + 1 + int(better[0]) if len(better) and float(column[now]) > 0 else None
