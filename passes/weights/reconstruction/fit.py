"""How near codes come to what is wanted of a layer, at any scale."""

from __future__ import annotations

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
        return torch.where(torch.isfinite(best) & (best > 0), best, scale)

    def error(self, scale: torch.Tensor) -> float:
        """The mean of the squares of scale p - t, outputs together."""
        return float((scale.square() * self.reached - 2 * scale * self.both + self.wanted).sum())


def fit_of(codes: torch.Tensor, wanted: torch.Tensor, moments: torch.Tensor) -> Fit:
    """Of codes and the weights that are wanted, both float64 (N, K), on inputs with these moments, (K, K)."""
    through = codes @ moments
    return Fit((through * wanted).sum(1), (through * codes).sum(1), ((wanted @ moments) * wanted).sum(1))
