"""Which calls are full: exact dynamic programming over what shallow ones cost."""

from __future__ import annotations

import math

import torch


def lengths(calls: int, interval: int) -> tuple[int, int, int]:
    """How many runs of calls there are, each of a full call and the shallow ones behind it, and the fewest
    and the most calls of one: ceil(T / N), ceil(N / 2), 2 N; the fewest at most T / ceil(T / N)."""
    runs = math.ceil(calls / interval)
    return runs, min(math.ceil(interval / 2), calls // runs), 2 * interval


def full_calls(cost: torch.Tensor, interval: int, least: int | None = None) -> tuple[int, ...]:
    """The full calls for which shallow ones cost least, the first call among them.

    L[n, e, k] = min_f L[n - e, f, k - 1] + sum_{d < e} cost[n - e, d, f], of the calls before n in k runs, of
    which the last has e calls and the one before that f.

    cost: float64 (T, 2 N, 2 N + 1), cost[j, d, f] of taking at call j + d what call j computed, where the
    full call before that is j - f; f = 0 where there is none. least: calls of a run, where not as `lengths`.
    """
    calls = len(cost)
    runs, fewest, most = lengths(calls, interval)
    fewest = fewest if least is None else least
    sums = cost.cumsum(dim=1).tolist()
    begun: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {(0, 0): (0.0, ())}
    for _ in range(runs):
        following: dict[tuple[int, int], tuple[float, tuple[int, ...]]] = {}
        for (begin, before), (spent, starts) in sorted(begun.items()):
            for length in range(fewest, min(most, calls - begin) + 1):
                found, end = spent + sums[begin][length - 1][before], (begin + length, length)
                if end not in following or found < following[end][0]:
                    following[end] = found, (*starts, begin)
        begun = following
    _, starts = min(found for (end, _), found in begun.items() if end == calls)
    return starts


def sources(starts: tuple[int, ...], calls: int) -> torch.Tensor:
    """The full call whose feature each call takes, int64 (T,)."""
    lasting = torch.zeros(calls, dtype=torch.int64)
    lasting[list(starts)] = torch.tensor(starts, dtype=torch.int64)
    return lasting.cummax(dim=0).values
