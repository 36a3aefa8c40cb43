"""One choice for each item, so that all weigh no more than is allowed and cost as little as can be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UNITS = 20_000
"""That an allowance is counted in: choices weigh up to a unit more than they do."""


def lightest(weights: Sequence[Sequence[float]]) -> float:
    """What the lightest choices of all items weigh together. weights: of each item's choices."""
    return sum(min(choices) for choices in weights)


def chosen(
    weights: Sequence[Sequence[float]], costs: Sequence[Sequence[float]], allowed: float
) -> Sequence[int]:
    """The place of each item's choice, by dynamic programming over what is left of the allowance.

    weights, costs: of each item's choices, all at least 0. allowed: at least `lightest`; what is beyond it is
    counted in units.
    """
    beyond = [[weight - min(choices) for weight in choices] for choices in weights]
    unit = max(allowed - lightest(weights), 1e-300) / UNITS
    units = [[_units(weight / unit) for weight in choices] for choices in beyond]
    best = np.zeros(UNITS + 1)
    taken = np.zeros((len(weights), UNITS + 1), dtype=np.int8)
    for number, choices in enumerate(units):
        options = np.full((len(choices), UNITS + 1), np.inf)
        for place, count in enumerate(choices):
            if count <= UNITS:
                options[place, count:] = best[: UNITS + 1 - count] + costs[number][place]
        taken[number] = options.argmin(axis=0)
        best = options.min(axis=0)
    left, found = UNITS, [0] * len(weights)
    for number in reversed(range(len(weights))):
        found[number] = int(taken[number, left])
        left -= units[number][found[number]]
    return found


def _units(real: float) -> int:
    """Rounded up, but for a hair."""
    return int(np.ceil(min(real, UNITS + 1) - 1e-9))
