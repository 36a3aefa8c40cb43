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
class WeightSizes:
    """A weight's magnitudes, all that is kept of it: a text's states are read by hundreds of layers.

    largest: over taps, (N, C), of the weight's type. taps: how many. sums: of squares over taps, float64
    (N, C); None where there is one tap.
    """

    largest: torch.Tensor
    taps: int
    sums: torch.Tensor | None

    @staticmethod
    def of(weight: torch.Tensor) -> WeightSizes:
        """weight: float32 or float64 (N, C, taps...)."""
        taps = weight.flatten(2) if weight.dim() > 2 else weight[..., None]
        sums = taps.double().square().sum(dim=2) if taps.shape[2] > 1 else None
        return WeightSizes(taps.abs().amax(dim=2), taps.shape[2], sums)

    @property
    def squares(self) -> torch.Tensor:
        """Their sum over taps, float64 (N, C)."""
        return self.largest.double().square() if self.sums is None else self.sums

    @property
    def share(self) -> torch.Tensor:
        """Of each channel's weights beside the row's largest, in the row where that is most: float64 (C,)."""
        rows = self.largest.double()
        return (rows / rows.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0)


@dataclass(frozen=True)
class ReadOperand:
    """An operand and all that reads it.

    ranges: float32 (T, C). bits: of its codes. weights: of each layer. weight_bits: of theirs.
    """

    ranges: Ranges
    bits: int
    weights: Sequence[WeightSizes]
    weight_bits: int

    @cached_property
    def reach(self) -> torch.Tensor:
        """Of each channel beside the call's largest, at the call where that is most: float64 (C,)."""
        high = torch.maximum(self.ranges.low.abs(), self.ranges.high.abs()).double()
        return (high / high.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0).clamp(min=FAINTEST)

    @cached_property
    def share(self) -> torch.Tensor:
        """Of each channel's weights beside the row's largest, in the row where that is most: float64 (C,)."""
        return torch.stack([weight.share for weight in self.weights]).amax(dim=0).clamp(min=FAINTEST)


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
    for weight in layer.weights:
        squares = weight.squares * ratio.square()
        scale = (weight.largest.double() * ratio).amax(dim=1) / (2 ** (layer.weight_bits - 1) - 1)
        signal = power @ squares.T
        of_codes = (step.square() / 12) @ squares.T
        of_weights = power.sum(dim=1, keepdim=True) * weight.taps * (scale.square() / 12)
        shares.append(((of_codes + of_weights) / signal.clamp(min=1e-300)).clamp(max=1e6))
    return torch.cat(shares, dim=1).mean()
