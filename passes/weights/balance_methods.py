"""By how much to divide an operand's channels and multiply the weights that read them: three methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import torch

from ...ir.plans import PER_OCTAVE, ratios
from .balance import ReadOperand, noise

ALPHAS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the channels' ranges that weights take up."""
FARTHEST = 10 * PER_OCTAVE
"""By how much weights are dilated at most: those that are all but 0 could take any factor."""
TURNS = 150
RATE = 0.05
"""In octaves."""


class BalanceMethod(StrEnum):
    """Where exponents come from."""

    SMOOTH = "smooth"
    """From the ranges of channels and weights (SmoothQuant)."""
    DILATE = "dilate"
    """Weights grow as far as no row's largest does (DilateQuant)."""
    LEARNED = "learned"
    """By gradient descent on what rounding costs (DMQ)."""


def best_balance(
    layer: ReadOperand, method: BalanceMethod = BalanceMethod.SMOOTH
) -> tuple[torch.Tensor, float] | None:
    """The exponents, int64 (C,), of the method's that make rounding quietest, and by how many dB; None where
    none does. Channels are divided by 2^(exponent / 4)."""
    before, best = _noise(layer, torch.zeros_like(layer.reach, dtype=torch.int64)), None
    for exponent in _METHODS[method](layer):
        found = _noise(layer, exponent)
        if found > 0 and (best is None or found < best[1]):
            best = exponent, found
    if best is None or not best[1] < before or not bool(best[0].any()):
        return None
    return best[0], 10 * math.log10(before / best[1])


def smoothed(layer: ReadOperand) -> Sequence[torch.Tensor]:
    """a^alpha / w^(1 - alpha) in whole octaves, for each of four alphas.

    a: the channel's range beside the largest. w: its largest weight beside that of the same row.
    """
    found = []
    for alpha in ALPHAS:
        octaves = torch.round(alpha * torch.log2(layer.reach) - (1 - alpha) * torch.log2(layer.share))
        found.append((PER_OCTAVE * (octaves - octaves.min())).to(torch.int64))
    return found


def dilated(layer: ReadOperand) -> Sequence[torch.Tensor]:
    """s[k] = min over rows n of max|W[n]| / max|W[n, k]|, at least 1: no row's scale grows."""
    exponent = torch.floor(-PER_OCTAVE * torch.log2(layer.share) + 1e-9).to(torch.int64)
    return [exponent.clamp(0, FARTHEST)]


def learned(layer: ReadOperand) -> Sequence[torch.Tensor]:
    """Adam on the logarithms of s, from the best of `smoothed`, with what is seen best on the way."""
    start = best_balance(layer)
    octaves = torch.zeros_like(layer.reach) if start is None else start[0].double() / PER_OCTAVE
    octaves.requires_grad_()
    optimizer = torch.optim.Adam([octaves], lr=RATE)
    best, least = octaves.detach().clone(), math.inf
    for _ in range(TURNS):
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = noise(layer, torch.exp2(octaves)).log()
        if (seen := float(loss.detach())) < least:
            best, least = octaves.detach().clone(), seen
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    exponent = torch.round(PER_OCTAVE * (best - best.min())).to(torch.int64)
    return [exponent, *([] if start is None else [start[0]])]


_METHODS: Mapping[BalanceMethod, Callable[[ReadOperand], Sequence[torch.Tensor]]] = {
    BalanceMethod.SMOOTH: smoothed,
    BalanceMethod.DILATE: dilated,
    BalanceMethod.LEARNED: learned,
}


def _noise(layer: ReadOperand, exponent: torch.Tensor) -> float:
    return float(noise(layer, ratios(exponent)))
