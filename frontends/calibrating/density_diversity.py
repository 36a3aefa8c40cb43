"""TDAC: how much each UNet call should weigh among calibration samples (EDA-DM)."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize


def shares(features: torch.Tensor, diversity: float = 1.0, radius: float | None = None) -> torch.Tensor:
    """The weight of each call, float64 (T,), not negative, summing up to 1.

    features: float (T, B, C, ...), what the middle of the network sees at each call.
    Density of a call: how many other calls lie within `radius`, a mean squared difference. Diversity: its
    cosine distance over channels from all other calls, summed. Both are stretched to 0 .. 1 over the calls;
    the weight is density + `diversity` times the other.

    radius: None takes the median over all pairs; EDA-DM's (0.3, 3.0) belong to its models' scales.
    A measure that is the same for all calls counts 0; where both are, and for one call, all weigh the same.
    """
    calls = len(features)
    flat = features.reshape(calls, -1).double()
    dense, diverse = _density(flat, radius), _diversity(features.double())
    weights = _stretched(dense) + diversity * _stretched(diverse)
    if float(weights.sum()) <= 0:
        weights = torch.ones(calls, dtype=torch.float64)
    return weights / weights.sum()


def _density(flat: torch.Tensor, radius: float | None) -> torch.Tensor:
    squares = flat.square().sum(dim=1)
    distance = (squares[:, None] + squares[None] - 2 * flat @ flat.T).clamp(min=0) / flat.shape[1]
    others = ~torch.eye(len(flat), dtype=torch.bool)
    if radius is None:
        radius = float(distance[others].median()) if len(flat) > 1 else 0.0
    return ((distance <= radius) & others).sum(dim=1).double()


def _diversity(features: torch.Tensor) -> torch.Tensor:
    """Cosines of all pairs of calls at once: products of directions, summed over samples and places."""
    directions = normalize(features, dim=2, eps=1e-6).reshape(len(features), -1)
    places = features.numel() // (features.shape[0] * features.shape[2])
    away = places - directions @ directions.T
    return away.sum(dim=1) - away.diagonal()


def _stretched(x: torch.Tensor) -> torch.Tensor:
    low, high = x.min(), x.max()
    if float(high - low) <= 1e-9 * max(float(high.abs()), 1e-9):
        return torch.zeros_like(x)
    result: torch.Tensor = (x - low) / (high - low)
    return result
