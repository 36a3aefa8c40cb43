"""By how much to divide an operand's channels and multiply the weights that read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...ir.plans import PER_OCTAVE, Ranges, ratios

ALPHAS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the channels' ranges that weights take up."""
LARGEST_MULTIPLE = 127
"""How far the scales of an operand's groups lie apart at most."""
DEVIATIONS = 3.0
"""A range's end in deviations of the values."""
FAINTEST = 1e-12
"""Channels and weights that are fainter beside the largest count as that."""


@dataclass(frozen=True)
class ReadOperand:
    """An operand and all that reads it.

    ranges: float32 (T, C). bits: of its codes. weights: float64 (N, C, taps) of each layer. weight_bits: of
    theirs.
    """

    ranges: Ranges
    bits: int
    weights: Sequence[torch.Tensor]
    weight_bits: int


def best_balance(layer: ReadOperand) -> tuple[torch.Tensor, float] | None:
    """The exponents, int64 (C,), whole octaves, that make rounding quietest, and by how many dB; None where
    none does.

    Channels are divided by 2^(exponent / 4): a^alpha / w^(1 - alpha), a the channel's range beside the
    largest, w its largest weight beside that of the same row.
    """
    high = torch.maximum(layer.ranges.low.abs(), layer.ranges.high.abs()).double()
    reach = (high / high.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0).clamp(min=FAINTEST)
    rows = torch.cat([weight.abs().amax(dim=2) for weight in layer.weights])
    share = (rows / rows.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0).clamp(min=FAINTEST)
    before, best = noise(layer, torch.zeros(len(reach), dtype=torch.int64)), None
    for alpha in ALPHAS:
        octaves = torch.round(alpha * torch.log2(reach) - (1 - alpha) * torch.log2(share))
        exponent = (PER_OCTAVE * (octaves - octaves.min())).to(torch.int64)
        found = noise(layer, exponent)
        if found > 0 and (best is None or found < best[1]):
            best = exponent, found
    if best is None or not best[1] < before or not bool(best[0].any()):
        return None
    return best[0], 10 * math.log10(before / best[1])


def noise(layer: ReadOperand, exponent: torch.Tensor) -> float:
    """What rounding codes and weights leaves of noise for each of signal, mean over outputs and calls."""
    ratio = ratios(exponent)
    low, high = (part.double() / ratio for part in (layer.ranges.low, layer.ranges.high))
    width = high.clamp(min=0) - low.clamp(max=0)
    step = torch.maximum(width, width.amax(dim=1, keepdim=True) / LARGEST_MULTIPLE) / (2**layer.bits - 1)
    power = (torch.maximum(low.abs(), high.abs()) / DEVIATIONS).square()
    shares = []
    for weight in layer.weights:
        balanced = weight * ratio[:, None]
        squares = balanced.square().sum(dim=2)
        scale = balanced.abs().amax(dim=(1, 2)) / (2 ** (layer.weight_bits - 1) - 1)
        signal = power @ squares.T
        of_codes = (step.square() / 12) @ squares.T
        of_weights = power.sum(dim=1, keepdim=True) * weight.shape[2] * (scale.square() / 12)
        shares.append(((of_codes + of_weights) / signal.clamp(min=1e-300)).clamp(max=1e6))
    return float(torch.cat(shares, dim=1).mean())
