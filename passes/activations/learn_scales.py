"""`learn-scales`: static scales of activations are learned block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..manager.registry import register_pass
from ..weights.reconstruction.as_pass import Learning
from ..weights.reconstruction.settings import LearningSettings


@register_pass
@dataclass(frozen=True)
class LearnScales(Learning):
    """Minimizes |block(x_q) - block(x)|^2.4 over the scales of the block's activations (Q-Diffusion).

    Weights stay as they are. Scales that are computed at run time have nothing to learn. Options are those of
    all passes that learn; a scale is learned as a factor, as in `fbr`.
    """

    iterations: int = 5000
    rate: float = 4e-4

    name: ClassVar[str] = "learn-scales"

    def settings(self) -> LearningSettings:
        return self._settings(
            scale_rate=self.rate,
            weights=False,
            scales=True,
            annealed=True,
            activations=True,
            penalty=0.0,
            power=2.4,
        )
