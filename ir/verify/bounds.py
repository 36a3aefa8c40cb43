"""How large an accumulator can get: the proof that no product overflows, from the actual constants.

Everything is vectorized over calls (T), groups (G) and columns (N), and computed in float64. Sums of integers
whose partial sums stay below 2^53 are exact there, and `Accumulator.partial` says whether they do. What is
computed from them has a relative error; a result below its limit by more than a factor of 1 + 2^-40 is below
it for certain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

CARRIER_LIMIT = 2.0**53
"""The reference carries accumulators in float64, where integers up to here are exact."""
PRODUCT_LIMIT = 2.0**62
"""What a multiplier may make of an accumulator before the rounding shift."""
QUANTIZE_LIMIT = 2.0**31
"""`dgqc::quantize` works in 32 bits."""
CERTAIN = 1 - 2.0**-40


@dataclass(frozen=True)
class Interval:
    """Smallest and largest of a set of values, float64, of one shape."""

    low: torch.Tensor
    high: torch.Tensor

    @property
    def magnitude(self) -> torch.Tensor:
        """The largest absolute value."""
        return torch.maximum(self.low.abs(), self.high.abs())

    def with_zero(self) -> Interval:
        """The same values and 0."""
        return Interval(self.low.clamp(max=0), self.high.clamp(min=0))


@dataclass(frozen=True)
class WeightSums:
    """Sums over a weight's positive entries and over its negative entries' magnitudes.

    positive, negative: float64 (G, N), by group of reduction indices and column.
    """

    positive: torch.Tensor
    negative: torch.Tensor

    @staticmethod
    def of(weight: torch.Tensor, group: torch.Tensor, groups: int) -> WeightSums:
        """weight: int8 (N, K) or (N, kh, kw, K). group: uint8 (K,), the group of each index."""
        # Sums of int8 stay below 2^31 for any kernel.
        taps = weight.reshape(weight.shape[0], -1, weight.shape[-1])
        above = taps.clamp(min=0).sum(dim=1, dtype=torch.int32)
        below = above - taps.sum(dim=1, dtype=torch.int32)
        members = torch.nn.functional.one_hot(group.to(torch.int64), groups).to(torch.float64).T
        return WeightSums(members @ above.to(torch.float64).T, members @ below.to(torch.float64).T)


@dataclass(frozen=True)
class Accumulator:
    """What a sum of products can be, float64 (T, N).

    reached: smallest and largest value of the finished sum. partial: the largest magnitude on the way, in
    whatever order its terms are added.
    """

    reached: Interval
    partial: torch.Tensor


def centered_range(codes: tuple[int, int], zero: torch.Tensor, multiple: torch.Tensor) -> Interval:
    """multiple * (code - zero) over all codes. zero, multiple: int32 (T, G). Returns (T, G)."""
    low, high = (multiple.to(torch.float64) * (code - zero.to(torch.float64)) for code in codes)
    return Interval(low, high)


def channel_accumulator(operand: Interval, sums: WeightSums) -> Accumulator:
    """Groups along the reduction. operand: (T, G). sums: (G, N), by group."""
    high = operand.high @ sums.positive - operand.low @ sums.negative
    low = operand.low @ sums.positive - operand.high @ sums.negative
    partial = operand.magnitude @ (sums.positive + sums.negative)
    return Accumulator(Interval(low, high), partial)


def pixel_accumulator(operand: Interval, sums: WeightSums) -> Accumulator:
    """Groups along rows: every index of a sum has one group, whichever. operand: (T, G). sums: (1, N)."""
    parts = [
        channel_accumulator(Interval(operand.low[:, g : g + 1], operand.high[:, g : g + 1]), sums)
        for g in range(operand.low.shape[1])
    ]
    low = torch.stack([part.reached.low for part in parts]).amin(dim=0)
    high = torch.stack([part.reached.high for part in parts]).amax(dim=0)
    return Accumulator(Interval(low, high), torch.stack([part.partial for part in parts]).amax(dim=0))


def requantized_magnitude(
    accumulator: Interval,
    column: torch.Tensor,
    factor: torch.Tensor,
    bias: torch.Tensor,
    bias_factor: torch.Tensor,
    bias_shift: torch.Tensor,
) -> torch.Tensor:
    """The largest |accumulator * m + b| of `requantize_columns`, float64 (T, N).

    accumulator: (T, N). column, bias: int32 (N,). factor, bias_factor, bias_shift: int32 (T,).
    """
    rows = (part[:, None].to(torch.float64) for part in (factor, bias_factor, bias_shift))
    by_factor, by_bias_factor, by_bias_shift = rows
    m = column.to(torch.float64) * by_factor * 2.0**-31
    b = bias.to(torch.float64) * by_bias_factor * torch.exp2(-by_bias_shift)
    largest = torch.maximum((accumulator.low * m + b).abs(), (accumulator.high * m + b).abs())
    # m and b are rounded before they are used, by up to a half each.
    return largest + accumulator.magnitude + 1


def per_index(magnitude: torch.Tensor, group: torch.Tensor, along_reduction: bool, size: int) -> torch.Tensor:
    """The largest magnitude at each reduction index of a product of activations, float64 (T, size).

    magnitude: (T, G). group: uint8 (n,), by reduction index where groups lie along the reduction.
    """
    if along_reduction:
        return magnitude[:, group.to(torch.int64)]
    return magnitude.amax(dim=1, keepdim=True).expand(-1, size)


def product_magnitude(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The largest |sum_k a_k b_k|, float64 (T,). left, right: (T, K), from `per_index`."""
    return (left * right).sum(dim=1)


def quantize_magnitude(multiplier: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """The largest |x * multiplier + offset| over all int16 x, float64 of the tables' shape."""
    m, r = multiplier.to(torch.float64), offset.to(torch.float64)
    return torch.maximum((-32768 * m + r).abs(), (32767 * m + r).abs())


def norm_energy(count: int, epsilon: torch.Tensor) -> torch.Tensor:
    """The largest sum of squares of 16 * (x - mean) over `count` int16 values, plus epsilon. float64 (T,).

    A sum of squared deviations is largest with half the values at either end of the range, 16 * 65535
    apart; the mean's rounding by half a unit adds a quarter each.
    """
    half = 16 * 65535 / 2
    return count * (half**2 + 0.25) + epsilon.to(torch.float64)


def share_sum(kind: str, keys: int, codes: int) -> float:
    """The largest sum of a row's quantized attention shares, in units of the whole.

    Rounding to a power of two makes a share at most sqrt(2) times larger, rounding to a multiple at most
    twice; the last log code stands for everything below it, which adds 2^-(codes - 1) a key. What the
    lookups' errors add is below 0.5.
    kind: "log2" or "uniform". codes: how many there are.
    """
    return 2.5 + (keys * 2.0 ** -(codes - 1) if kind == "log2" else 0.0)
