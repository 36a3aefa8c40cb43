"""AdaRound: whether each weight is rounded up or down is learned."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from ....ir.devices import CPU
from ....ir.moving import moved
from ....ir.plans import Weight

STRETCH = 1.2
OFFSET = -0.1
"""h = clamp(sigmoid(alpha) * 1.2 - 0.1, 0, 1): stretched, so that 0 and 1 are reached."""


class Rounding(nn.Module):
    """w^ = s * clamp(floor(w / s) + h(alpha), lowest, highest code); h starts as w's fraction.

    Our codes are signed and symmetric, so the published formula's zero point is 0.
    """

    def __init__(self, weight: torch.Tensor, plan: Weight) -> None:
        super().__init__()
        self.plan = plan
        self.scale = plan.scale.to(weight.device, torch.float32).reshape(-1, *[1] * (weight.dim() - 1))
        steps = weight.detach().to(torch.float32) / self.scale
        self.floor = torch.floor(steps)
        fraction = steps - self.floor
        self.alpha = nn.Parameter(-torch.log(STRETCH / (fraction - OFFSET) - 1))

    @property
    def h(self) -> torch.Tensor:
        """How far each weight is rounded up, 0 .. 1."""
        return (torch.sigmoid(self.alpha) * STRETCH + OFFSET).clamp(0, 1)

    def weight(self) -> torch.Tensor:
        """The weight with h between 0 and 1."""
        return self.scale * self._clamped(self.floor + self.h)

    def hard(self) -> Weight:
        """The plan with every h made 0 or 1."""
        codes = self._clamped(self.floor + (self.alpha.detach() >= 0))
        return replace(self.plan, codes=codes.to(CPU, torch.int8))

    def _clamped(self, codes: torch.Tensor) -> torch.Tensor:
        limit = 2 ** (self.plan.bits - 1)
        return codes.clamp(-limit, limit - 1)


def value(plan: Weight) -> torch.Tensor:
    """What a weight's codes stand for, float32, where float work is computed."""
    codes, scale = moved(plan.codes), moved(plan.scale)
    return (codes.double() * scale.reshape(-1, *[1] * (codes.dim() - 1))).to(torch.float32)
