"""Which calls are full: exact dynamic programming over what features differ by."""

from __future__ import annotations

import math

import torch


def lengths(calls: int, interval: int) -> tuple[int, int, int]:
    """How many runs of calls there are, each of a full call and the shallow ones behind it, and the fewest
    and the most calls of one: ceil(T / N), ceil(N / 2), 2 N; the fewest at most T / ceil(T / N)."""
    runs = math.ceil(calls / interval)
    return runs, min(math.ceil(interval / 2), calls // runs), 2 * interval


def full_calls(cost: torch.Tensor, interval: int) -> tuple[int, ...]:
    """The full calls for which features are missed least, the first call among them.

    L[n, k] = min_j L[j, k - 1] + sum_{i = j}^{n - 1} cost[j, i]; the earliest j of several.

    cost: float64 (T, T), cost[j, i] of taking at call i what call j computed, for j <= i < j + 2 N.
    """
    calls = len(cost)
    runs, least, most = lengths(calls, interval)
    sums = torch.cat([torch.zeros(calls, 1, dtype=cost.dtype), cost.cumsum(dim=1)], dim=1).tolist()
    total = [[math.inf] * (runs + 1) for _ in range(calls + 1)]
    begun = [[-1] * (runs + 1) for _ in range(calls + 1)]
    total[0][0] = 0.0
    for run in range(1, runs + 1):
        for end in range(1, calls + 1):
            for begin in range(max(0, end - most), end - least + 1):
                found = total[begin][run - 1] + sums[begin][end] - sums[begin][begin]
                if found < total[end][run]:
                    total[end][run], begun[end][run] = found, begin
    starts, end = [], calls
    for run in range(runs, 0, -1):
        end = begun[end][run]
        starts.append(end)
    return tuple(reversed(starts))


def sources(starts: tuple[int, ...], calls: int) -> torch.Tensor:
    """The full call whose feature each call takes, int64 (T,)."""
    lasting = torch.zeros(calls, dtype=torch.int64)
    lasting[list(starts)] = torch.tensor(starts, dtype=torch.int64)
    return lasting.cummax(dim=0).values
