"""Rounds weights one input after the other: what rounding one changes, those that are left take back.

For inputs with the moments H (the mean of x^T x), weights w and their codes q cost e H e^T, where e = w - q.
With H = L L^T, that is the sum over inputs k of (L[k, k] e[k] + the sum over j > k of L[j, k] e[j])^2. So
inputs are rounded from the last to the first, each to what makes its own square least when those after it are
known (Babai's nearest plane). GPTQ's updates by the inverse's factor give the same codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ....ir.devices import CPU
from ....ir.parallel import side_by_side
from ....ir.ranks import shared_out

BLOCK = 128
"""Inputs whose errors are spread on the others by one product."""
ROWS = 512
"""Outputs that are rounded together, at most: always as many, however many processors share them."""
TRUSTED = 1e-3
"""Dampings from which on single precision suffices to solve."""


@dataclass(frozen=True)
class Factor:
    """order: inputs by rising power, (K,). lower: (K, K), the Cholesky factor of the damped moments in this
    order; float32 where that suffices, else float64."""

    order: torch.Tensor
    lower: torch.Tensor

    def solved(self, wanted: torch.Tensor) -> torch.Tensor:
        """The float64 (N, K) whose product with the damped moments is `wanted`, of the same shape."""

        def part(rows: torch.Tensor) -> torch.Tensor:
            found = torch.empty_like(rows)
            ordered = rows[:, self.order].to(self.lower.dtype)
            found[:, self.order] = torch.cholesky_solve(ordered.T, self.lower).T.double()
            return found.to(CPU)

        return torch.cat(list(shared_out(part, _parts(wanted)))).to(wanted.device)


def factors_of(moments: torch.Tensor, dampings: Sequence[float]) -> list[Factor]:
    """Of moments, each input's power raised by a share of itself, which treats inputs of any size alike: one
    for each share.

    moments: float64 (K, K). Strong inputs stand last: they are rounded while most others can still make up.
    """
    order = torch.argsort(moments.diagonal(), descending=True, stable=True).flip(0)
    ordered = moments[order][:, order]
    power = ordered.diagonal()

    def factor(damping: float) -> Factor:
        damped = ordered.clone()
        damped.diagonal().add_(damping * power + 1e-6 * power.mean() + 1e-30)  # above 0 in any case
        lower: torch.Tensor = torch.linalg.cholesky(damped)
        return Factor(order, lower.float() if damping >= TRUSTED else lower)

    return list(side_by_side(factor, dampings))


def rounded(weight: torch.Tensor, factor: Factor, limit: int) -> torch.Tensor:
    """Codes -limit .. limit - 1, int8 (N, K), on the CPU, for weights in units of their scales, float
    (N, K)."""

    def part(rows: torch.Tensor) -> torch.Tensor:
        codes = torch.empty_like(rows)
        # Inputs first, so that all outputs of one lie side by side.
        codes[:, factor.order] = _rounded(rows.T[factor.order], factor.lower, limit).T
        return codes.to(CPU, torch.int8)  # of which eight are told to other processes in the place of one

    return torch.cat(list(shared_out(part, _parts(weight.to(factor.lower.dtype)))))


def _parts(rows: torch.Tensor) -> Sequence[torch.Tensor]:
    """An even number of parts of much the same size, which pairs of processors finish together."""
    count = 2 * math.ceil(len(rows) / (2 * ROWS))
    return torch.split(rows, math.ceil(len(rows) / count))


def _rounded(weight: torch.Tensor, lower: torch.Tensor, limit: int) -> torch.Tensor:
    """Codes, in the order of the factor. weight: (K, N)."""
    codes, errors = torch.empty_like(weight), torch.empty_like(weight)
    for last in range(len(weight), 0, -BLOCK):
        first = max(0, last - BLOCK)
        taken_back = lower[last:, first:last].T @ errors[last:]
        for k in range(last - 1, first - 1, -1):
            aim = taken_back[k - first]
            aim.addmv_(errors[k + 1 : last].T, lower[k + 1 : last, k]).div_(lower[k, k]).add_(weight[k])
            torch.round(aim, out=codes[k]).clamp_(-limit, limit - 1)
            torch.sub(weight[k], codes[k], out=errors[k])
    return codes
