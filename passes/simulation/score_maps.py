"""Attention probabilities in few numbers, to be looked at."""

from __future__ import annotations

from typing import Any

import torch

QUERIES, KEYS = 12, 80
"""Most rows and columns of a map."""
DIGITS = 3


def score_map(probabilities: torch.Tensor) -> list[list[float]]:
    """The mean over heads, of neighbouring queries and keys together where there are many.

    probabilities: float (..., queries, keys). The first key stays by itself, since a start token's share is
    unlike all others.
    """
    queries, keys = probabilities.shape[-2:]
    mean = probabilities.detach().float().reshape(-1, queries, keys).mean(dim=0)
    rows = torch.stack([part.mean(dim=0) for part in torch.tensor_split(mean, min(queries, QUERIES))])
    first, others = rows[:, :1], rows[:, 1:]
    if others.shape[1]:
        parts = torch.tensor_split(others, min(others.shape[1], KEYS - 1), dim=1)
        rows = torch.cat([first, *(part.mean(dim=1, keepdim=True) for part in parts)], dim=1)
    return [[_short(value) for value in row] for row in rows.tolist()]


def _short(value: Any) -> float:
    return float(f"{value:.{DIGITS}g}")
