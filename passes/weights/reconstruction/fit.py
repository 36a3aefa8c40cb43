"""How near codes come to what is wanted of a layer, at any scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Fit:
    """Means over rows, float64 (N,) each: of an output wanted, t, and what codes give at a scale of 1, p.

    both: of p t. reached: of p^2. wanted: of t^2.
    """

    both: torch.Tensor
    reached: torch.Tensor
    wanted: torch.Tensor

    def best_scale(self, scale: torch.Tensor) -> torch.Tensor:
        """Of each output, the scale with the least error; the one it has where no scale above 0 has."""
        best = self.both / self.reached
        scale = scale.to(best.device)
        return torch.where(torch.isfinite(best) & (best > 0), best, scale)

    def error(self, scale: torch.Tensor) -> float:
        """The mean of the squares of scale p - t, outputs together."""
        scale = scale.to(self.both.device)
        return float((scale.square() * self.reached - 2 * scale * self.both + self.wanted).sum())


def fits_of(candidates: Sequence[torch.Tensor], wanted: torch.Tensor, moments: torch.Tensor) -> list[Fit]:
    """Of each of some codes (N, K) and the weights that are wanted, float64 (N, K), on inputs with these
    moments, float64 (K, K) and symmetric."""
    through = wanted @ moments
    square = (through * wanted).sum(1)

    def of_one(codes: torch.Tensor) -> Fit:
        return Fit((through * codes).sum(1), ((codes @ moments) * codes).sum(1), square)

    return [of_one(codes.to(wanted.device, torch.float64)) for codes in candidates]
