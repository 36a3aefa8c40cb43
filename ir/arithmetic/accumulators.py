"""How large the sum of a product can get, from the actual constants.

Lowering chooses multipliers by it, the verifier proves by it that nothing overflows, and kernels choose by it
how wide they add. Everything is vectorized over calls (T), groups (G) and columns (N), in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..parallel import in_blocks
from .intervals import Interval

BLOCK = 2**20
"""Entries of a weight that are summed at once."""


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
        if group is None:
            group, groups = torch.zeros(weight.shape[-1], dtype=torch.int64), 1
        rows = weight.reshape(len(weight), -1)
        # Products with float32 are the fastest sums there are, and exact as long as these stay below 2^24.
        exact = torch.float32 if rows.shape[1] * 2**7 < 2**24 else torch.float64
        members = torch.nn.functional.one_hot(group.to(torch.int64), groups).to(exact)
        every_tap = members.T.repeat(1, rows.shape[1] // len(members))

        def of_block(block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            entries = block.to(exact)
            total = every_tap @ entries.T
            above = every_tap @ entries.clamp_(min=0).T
            return above, above - total

        size = max(1, BLOCK // rows.shape[1])
        parts = in_blocks(of_block, [(rows[first : first + size],) for first in range(0, len(rows), size)])
        above, below = (torch.cat(halves, dim=1).to(torch.float64) for halves in zip(*parts, strict=True))
        return WeightSums(above, below)

    @property
    def total(self) -> torch.Tensor:
        """Sums of all entries, float64 (G, N)."""
        return self.positive - self.negative

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
