"""Functions that are a value times a gate, x * g(x) g(x) + g(-x) the same for all x: ReLU, hard-swish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from ...ir.formula import function_of

FARTHEST = 64.0
"""Where gates are shut or open for certain."""
SHUT = 2.0**-18
"""What a gate may still move by where it ends: less than half of its Q16."""


@dataclass(frozen=True)
class Gate:
    """total: g(x) + g(-x). end: beyond it g stays what it is. below: g(x) / total for x < 0."""

    total: float
    end: float
    below: Callable[[float], float]


@lru_cache(maxsize=256)
def gate_of(text: str) -> Gate | None:
    """A formula's gate; None where it is no such function, or one whose gate is open below zero."""
    function = function_of(text)

    def gate(x: torch.Tensor) -> torch.Tensor:
        return function(x) / x

    x = torch.linspace(FARTHEST / 2**20, FARTHEST, 2**14, dtype=torch.float64)
    above, below = gate(x), gate(-x)
    sums = above + below
    total = float(sums[-1])
    if not bool(sums.isfinite().all()) or total <= 0 or float((sums - total).abs().max()) > 1e-6 * total:
        return None
    share = below / total
    if float(share.max()) > 0.5001 or float(share.min()) < -0.5:
        return None
    moving = ((share - share[-1]).abs() > SHUT).nonzero()
    end = float(x[int(moving[-1])]) if len(moving) else 1.0
    return Gate(total, _refined(gate, share[-1], total, end, float(x[1] - x[0])), _below(gate, total))


def _refined(
    gate: Callable[[torch.Tensor], torch.Tensor], last: torch.Tensor, total: float, end: float, width: float
) -> float:
    """The end more closely: a corner there should be where the table ends."""
    x = torch.linspace(end, end + width, 2**10, dtype=torch.float64)
    moving = ((gate(-x) / total - last).abs() > SHUT).nonzero()
    return float(x[int(moving[-1])]) if len(moving) else end


def _below(gate: Callable[[torch.Tensor], torch.Tensor], total: float) -> Callable[[float], float]:
    def at(x: float) -> float:
        near = torch.tensor([min(x, -1e-9)], dtype=torch.float64)
        return float(gate(near)) / total

    return at
