"""Intervals: what sets of integers lie between, the one form in which bounds are computed.

Ends are int64 where every number fits, else float64. Sums of integers whose partial sums stay below 2^53 are
exact in float64, too; a larger one has a relative error, and is below a limit for certain where it is below
CERTAIN times the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

CERTAIN = 1 - 2.0**-40


@dataclass(frozen=True)
class Interval:
    """Smallest and largest of sets of integers, int64 or float64, both of one shape: a set for each place."""

    low: torch.Tensor
    high: torch.Tensor

    @staticmethod
    def of(tensor: torch.Tensor) -> Interval:
        """All values of a tensor as one set, int64 (1,)."""
        wide = tensor.to(torch.int64)
        return Interval(wide.amin().reshape(1), wide.amax().reshape(1))

    @property
    def absolute_maximum(self) -> torch.Tensor:
        """The largest magnitude of each set."""
        return torch.maximum(self.low.abs(), self.high.abs())

    def __add__(self, other: Interval) -> Interval:
        """Sums of one number of each."""
        return Interval(self.low + other.low, self.high + other.high)

    def scaled(self, factor: torch.Tensor) -> Interval:
        """Numbers times a factor, which broadcasts and may be negative."""
        ends = self.low * factor, self.high * factor
        return Interval(torch.minimum(*ends), torch.maximum(*ends))

    def double(self) -> Interval:
        """The same ends as float64."""
        return Interval(self.low.double(), self.high.double())

    def with_zero(self) -> Interval:
        """The same numbers and 0."""
        return Interval(self.low.clamp(max=0), self.high.clamp(min=0))

    def united(self, axis: int, keepdim: bool = False) -> Interval:
        """One set of all along an axis."""
        return Interval(self.low.amin(axis, keepdim=keepdim), self.high.amax(axis, keepdim=keepdim))

    def at(self, index: torch.Tensor) -> Interval:
        """The sets with these numbers along the last axis: what each index has, from what its group has.

        index: of any integer type, (n,). Returns (..., n).
        """
        chosen = index.to(torch.int64)
        return Interval(self.low[..., chosen], self.high[..., chosen])

    def fits(self, bits: int) -> bool:
        """Whether signed integers of so many bits hold all numbers."""
        limit = 1 << (bits - 1)
        return int(self.low.amin()) >= -limit and int(self.high.amax()) < limit


def below(found: torch.Tensor, limit: float) -> bool:
    """Whether all magnitudes are below a limit for certain. found: float64; none are below any."""
    return bool((found < limit * CERTAIN).all())
