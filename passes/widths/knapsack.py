"""One choice for each item, so that all weigh no more than is allowed and cost as little as can be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

UNITS = 20_000
"""That an allowance is counted in at most: choices then weigh up to a unit more than they do."""


def lightest(weights: Sequence[Sequence[int]]) -> int:
    """What the lightest choices of all items weigh together. weights: of each item's choices."""
    return sum(min(choices) for choices in weights)


def chosen(weights: Sequence[Sequence[int]], costs: Sequence[Sequence[float]], allowed: int) -> Sequence[int]:
    """The place of each item's choice, by dynamic programming over what is left of the allowance.

    weights, costs: of each item's choices, all at least 0. allowed: at least `lightest`; what is beyond it is
    counted in units, exactly where it is no more than `UNITS`.
    """
    spare = allowed - lightest(weights)
    unit = max(1, math.ceil(spare / UNITS))
    size = spare // unit
    units = [[math.ceil((weight - min(choices)) / unit) for weight in choices] for choices in weights]
    best = np.zeros(size + 1)
    taken = np.zeros((len(weights), size + 1), dtype=np.int8)
    for number, choices in enumerate(units):
        options = np.full((len(choices), size + 1), np.inf)
        for place, count in enumerate(choices):
            if count <= size:
                options[place, count:] = best[: size + 1 - count] + costs[number][place]
        taken[number] = options.argmin(axis=0)
        best = options.min(axis=0)
    left, found = size, [0] * len(weights)
    for number in reversed(range(len(weights))):
        found[number] = int(taken[number, left])
        left -= units[number][found[number]]
    return found
