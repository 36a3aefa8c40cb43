"""The largest magnitudes that ops reach on their way, besides the accumulators of products with weights.

Everything is vectorized over calls (T), groups (G) and columns (N), and computed in float64
(`ir/arithmetic/intervals.py` says how exactly).
"""

from __future__ import annotations

import torch

from ..arithmetic.intervals import Interval

CARRIER_LIMIT = 2.0**53
"""The reference carries accumulators in float64, where integers up to here are exact."""
PRODUCT_LIMIT = 2.0**62
"""What a multiplier may make of an accumulator before the rounding shift."""
QUANTIZE_LIMIT = 2.0**31
"""`dgqc::quantize` works in 32 bits."""


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
    return largest + accumulator.absolute_maximum + 1


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
    """The largest sum of squares of x - mean over `count` values of 20 bits, plus epsilon. float64 (T,).

    These are 16-bit values in 16ths of a step, or wide ones. A sum of squared deviations is largest with half
    the values at either end of the range; the mean's rounding by half a unit adds a quarter each.
    """
    half = (2**20 - 1) / 2
    return count * (half**2 + 0.25) + epsilon.to(torch.float64)


def probability_sum(kind: str, keys: int, codes: int) -> float:
    """The largest sum of a row's quantized probabilities, in units of the whole.

    Rounding to a power of two makes a probability at most sqrt(2) times larger, rounding to a multiple at
    most twice; the last log code stands for everything below it, which adds 2^-(codes - 1) a key. What the
    lookups' errors add is below 0.5.
    kind: "log2" or "uniform". codes: how many there are.
    """
    return 2.5 + (keys * 2.0 ** -(codes - 1) if kind == "log2" else 0.0)
