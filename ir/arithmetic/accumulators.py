"""How large the sum of a product can get, from the actual constants.

Lowering chooses multipliers by it, the verifier proves by it that nothing overflows, and kernels choose by it
how wide they add. Everything is vectorized over calls (T), groups (G) and columns (N), in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .intervals import Interval


@dataclass(frozen=True)
class WeightSums:
    """Sums over a weight's positive entries and over its negative entries' magnitudes.

    positive, negative: float64 (G, N), by group of reduction indices and column.
    """

    positive: torch.Tensor
    negative: torch.Tensor

    @staticmethod
    def of(weight: torch.Tensor, group: torch.Tensor | None, groups: int) -> WeightSums:
        """weight: int8 (N, K) or (N, kh, kw, K). group: (K,), the group of each index, of any integer type;
        None where all are one, whatever `groups` says."""
        # Sums of int8 stay below 2^31 for any kernel.
        taps = weight.reshape(weight.shape[0], -1, weight.shape[-1])
        above = taps.clamp(min=0).sum(dim=1, dtype=torch.int32)
        below = above - taps.sum(dim=1, dtype=torch.int32)
        if group is None:
            parts = above.sum(dim=1, dtype=torch.int64), below.sum(dim=1, dtype=torch.int64)
            return WeightSums(parts[0].double()[None], parts[1].double()[None])
        members = torch.nn.functional.one_hot(group.to(torch.int64), groups).to(torch.float64).T
        return WeightSums(members @ above.to(torch.float64).T, members @ below.to(torch.float64).T)

    @property
    def absolute(self) -> torch.Tensor:
        """Sums of magnitudes, float64 (G, N)."""
        return self.positive + self.negative

    @property
    def largest_part(self) -> torch.Tensor:
        """The largest magnitude of a sum over some of a group's entries, whichever, float64 (G, N): times the
        largest code it bounds sums of codes that aren't centered, at any point on the way."""
        return torch.maximum(self.positive, self.negative)


@dataclass(frozen=True)
class Accumulator:
    """What a sum of products can be, float64 (T, N).

    reached: smallest and largest value of the finished sum. partial: the largest magnitude on the way, in
    whatever order its terms are added.
    """

    reached: Interval
    partial: torch.Tensor


def centered_codes(codes: tuple[int, int], zero: torch.Tensor, multiple: torch.Tensor) -> Interval:
    """multiple * (code - zero) over all codes from the smallest to the largest.

    zero, multiple: int32 or int64 (T, G), multiple >= 0. Returns int64 (T, G).
    """
    z = zero.to(torch.int64)
    return Interval(codes[0] - z, codes[1] - z).scaled(multiple.to(torch.int64))


def accumulator(operand: Interval, sums: WeightSums, along_channels: bool = True) -> Accumulator:
    """Of a product with weights, the one bound for lowering, verifier and kernels.

    operand: (T, G), of each group's multiple * (code - zero), zeros of a padding included.
    sums: (G, N) by group, where groups lie along the summed axis; (1, N) where they lie along rows
        (along_channels is False), since every term of a sum has one group then, whichever.
    """
    real = operand.double()
    if along_channels:
        return _sum_of_groups(real, sums)
    parts = [_sum_of_groups(real.at(torch.tensor([group])), sums) for group in range(real.low.shape[1])]
    low = torch.stack([part.reached.low for part in parts]).amin(dim=0)
    high = torch.stack([part.reached.high for part in parts]).amax(dim=0)
    return Accumulator(Interval(low, high), torch.stack([part.partial for part in parts]).amax(dim=0))


def _sum_of_groups(operand: Interval, sums: WeightSums) -> Accumulator:
    high = operand.high @ sums.positive - operand.low @ sums.negative
    low = operand.low @ sums.positive - operand.high @ sums.negative
    return Accumulator(Interval(low, high), operand.absolute_maximum @ sums.absolute)
