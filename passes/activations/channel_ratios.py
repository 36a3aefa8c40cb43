"""Ratios of channels' scales, from the ranges that were observed: one exponent for each class of channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...ir.plans import PER_OCTAVE

DEEPEST = 40 * PER_OCTAVE
"""Channels so far below their value's largest are as good as 0; finer scales would gain nothing."""


@dataclass(frozen=True)
class SeenChannels:
    """What was seen of a value. high: float32 (T, C), the largest magnitudes. classes: int64 (C,)."""

    high: torch.Tensor
    classes: torch.Tensor


def exponents_of_classes(values: Sequence[SeenChannels], count: int) -> torch.Tensor:
    """How far each class stays below its values' largest channels, int64 (count,), 0 or less.

    It is the nearest that it comes at any call, rounded up, so that a scale that holds a value's largest
    channel at a call holds all others, too. count: of class numbers.
    """
    found = torch.full((count,), -DEEPEST, dtype=torch.int64)
    for value in values:
        logs = torch.log2(value.high.double().clamp(min=1e-300))
        below = torch.ceil((logs - logs.amax(dim=1, keepdim=True)).amax(dim=0) * PER_OCTAVE).to(torch.int64)
        found = found.scatter_reduce(0, value.classes, below, "amax")
    return found
