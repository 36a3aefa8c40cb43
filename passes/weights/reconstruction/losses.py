"""What reconstruction minimizes."""

from __future__ import annotations

import torch


def distance(found: torch.Tensor, wanted: torch.Tensor, power: float = 2.0) -> torch.Tensor:
    """|found - wanted|^power, summed over dimension 1 and averaged over the others.

    The sum is the published code's: a plain mean would change the weight of the rounding term beside it.
    """
    powers = (found - wanted).abs().pow(power)
    return powers.sum(dim=1).mean() if found.dim() > 1 else powers.mean()


def rounding_penalty(h: torch.Tensor, beta: float) -> torch.Tensor:
    """Sum of 1 - |2h - 1|^beta: 0 where every h is 0 or 1 (AdaRound)."""
    return (1 - (2 * h - 1).abs().pow(beta)).sum()


def annealed(iteration: int, iterations: int, warmup: float, start: float, end: float) -> float | None:
    """The penalty's beta, falling linearly from `start` to `end`; None during the warm-up, without one."""
    begin = warmup * iterations
    if iteration < begin:
        return None
    return start + (end - start) * (iteration - begin) / max(iterations - begin, 1)
