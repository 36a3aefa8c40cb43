"""What rounding costs a layer whose operand's channels are divided and whose weights are multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

from ...ir.plans import Ranges

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

    @cached_property
    def sizes(self) -> Sequence[tuple[torch.Tensor, torch.Tensor]]:
        """Of each layer the sum of squares and the largest magnitude over taps, float64 (N, C) each."""
        return [(weight.square().sum(dim=2), weight.abs().amax(dim=2)) for weight in self.weights]

    @cached_property
    def reach(self) -> torch.Tensor:
        """Of each channel beside the call's largest, at the call where that is most: float64 (C,)."""
        high = torch.maximum(self.ranges.low.abs(), self.ranges.high.abs()).double()
        return (high / high.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0).clamp(min=FAINTEST)

    @cached_property
    def share(self) -> torch.Tensor:
        """Of each channel's weights beside the row's largest, in the row where that is most: float64 (C,)."""
        rows = torch.cat([largest for _, largest in self.sizes])
        return (rows / rows.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0).clamp(min=FAINTEST)


def noise(layer: ReadOperand, ratio: torch.Tensor) -> torch.Tensor:
    """What rounding codes and weights leaves of noise for each of signal, mean over outputs and calls: a
    scalar, float64.

    ratio: float64 (C,), what channels are divided by; may ask for gradients.
    """
    low, high = (part.double() / ratio for part in (layer.ranges.low, layer.ranges.high))
    width = high.clamp(min=0) - low.clamp(max=0)
    step = torch.maximum(width, width.amax(dim=1, keepdim=True) / LARGEST_MULTIPLE) / (2**layer.bits - 1)
    power = (torch.maximum(low.abs(), high.abs()) / DEVIATIONS).square()
    shares = []
    for weight, (sums, largest) in zip(layer.weights, layer.sizes, strict=True):
        squares = sums * ratio.square()
        scale = (largest * ratio).amax(dim=1) / (2 ** (layer.weight_bits - 1) - 1)
        signal = power @ squares.T
        of_codes = (step.square() / 12) @ squares.T
        of_weights = power.sum(dim=1, keepdim=True) * weight.shape[2] * (scale.square() / 12)
        shares.append(((of_codes + of_weights) / signal.clamp(min=1e-300)).clamp(max=1e6))
    return torch.cat(shares, dim=1).mean()
