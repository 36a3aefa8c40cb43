"""Least squares of a value at one call by what one or two full calls before it left, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ...ir.caching import CallKinds
from ...ir.plans import CachedValue
from ..correction.pictures import rounded_table
from .features import Movement

SMALLEST = 1e-30
"""Variances below it are of values that don't change."""
_TABLES = ("factor", "older", "offset")
NOISE = 1e-4
"""Of two values' variance, what integers may make of them: it keeps coefficients of nearly the same values
from growing against each other."""


@dataclass(frozen=True)
class Forecast:
    """F~ = factor F_j + older F_k + offset, all float64 (C,)."""

    factor: torch.Tensor
    older: torch.Tensor
    offset: torch.Tensor


def fitted(seen: Movement, call: int, full: int, before: int | None) -> Forecast:
    """Of the value at `call` by that at the full call j it follows, and at the full call k before that.

    before: None for one value alone: a = Cov(Y, X) / Var(X). Of two it is a ridge regression, with NOISE.
    """
    y, x = seen.mean(call), seen.mean(full)
    variance, shared = seen.covariance(full, full), seen.covariance(call, full)
    alone = torch.where(variance > SMALLEST, shared / variance.clamp(min=SMALLEST), 1.0)
    if before is None:
        return Forecast(alone, torch.zeros_like(alone), y - alone * x)
    second, crossed = seen.covariance(before, before), seen.covariance(full, before)
    other = seen.covariance(call, before)
    first_wide, second_wide = variance * (1 + NOISE), second * (1 + NOISE)
    determinant = first_wide * second_wide - crossed.square()
    two = determinant > SMALLEST
    divisor = determinant.clamp(min=SMALLEST)
    factor = torch.where(two, (shared * second_wide - other * crossed) / divisor, alone)
    older = torch.where(two, (other * first_wide - shared * crossed) / divisor, 0.0)
    offset = y - factor * x - older * seen.mean(before)
    return Forecast(factor, older, offset)


def by_call(costs: torch.Tensor) -> torch.Tensor:
    """What each call more adds to runs' costs, the same whichever call was full before, as `distances`.

    costs: float64 (T, R), [j, n - 1] of n calls from call j on.
    """
    more = costs.diff(dim=1, prepend=torch.zeros(len(costs), 1, dtype=torch.float64))
    return more[:, :, None].expand(-1, -1, costs.shape[1] + 1)


def distances(seen: Movement, most: int) -> torch.Tensor:
    """CacheQuant's cost of each call, the same whichever call was full before.

    most: calls of a run, R. Returns float64 (T, R, R + 1): [j, d, e] of the value of call j at call j + d,
    where call j - e was full before; 0 where there is no such call, and at d = 0.
    """
    calls = len(seen.total)
    found = torch.zeros(calls, most, most + 1, dtype=torch.float64)
    for full in range(calls):
        for after in range(1, min(most, calls - full)):
            found[full, after] = seen.distance[full + after, after]
    return found


def corrections(seen: Movement, source: torch.Tensor, axis: int, extrapolate: bool) -> CachedValue:
    """The fit of every call. source: int64 (T,), the full call that each takes the value of. A full call, but
    for the first, is foretold by those before it."""
    kinds = CallKinds(tuple(source.tolist()))
    before = [kinds.foretold_by(call) for call in range(len(source))]
    two = extrapolate and len(set(kinds.sources)) > 1
    fits = [
        fitted(seen, call, max(0, full), before[full] if two and full > 0 else None)
        for call, full in enumerate(before)
    ]
    factor, older, offset = (torch.stack([getattr(one, what) for one in fits]) for what in _TABLES)
    factor[0], offset[0], older[0] = 1.0, 0.0, 0.0
    factor, offset, older = map(rounded_table, (factor, offset, older))
    return CachedValue(source, factor, offset, axis, older if two else None)


def plain(plan: CachedValue) -> CachedValue:
    """The same, of which full calls take nothing."""
    own = (plan.source == torch.arange(len(plan.source)))[:, None]
    older = None if plan.older is None else plan.older.masked_fill(own, 0.0)
    factor, offset = torch.where(own, 1.0, plan.factor), plan.offset.masked_fill(own, 0.0)
    return replace(plan, factor=factor, offset=offset, older=older)
