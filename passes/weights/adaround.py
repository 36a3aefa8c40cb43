"""`adaround`: each layer's weights are rounded up or down as its output asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..manager.registry import register_pass
from .reconstruction.as_pass import Learning
from .reconstruction.settings import LearningSettings


@register_pass
@dataclass(frozen=True)
class AdaRound(Learning):
    """Learns the rounding of every layer on its own, in execution order (AdaRound, as in BRECQ's code).

    Minimizes |layer(x_q) - layer(x)|^2 + penalty * sum of 1 - |2h - 1|^beta, x_q from the quantized network,
    x from the float one; beta falls from 20 to 2 after a warm-up of a fifth of the iterations. A layer keeps
    its nearest rounding where that is no worse on the samples. Scales stay those of `quantize-weights`.

    activations: whether activations are quantized meanwhile; the published methods leave them in float.
    penalty: as above. The rest is as in all passes that learn.
    """

    iterations: int = 20000
    activations: bool = False
    penalty: float = 0.01

    name: ClassVar[str] = "adaround"
    blocks: ClassVar[bool] = False
    provides: ClassVar[frozenset[str]] = frozenset({"reconstructed-weights"})

    def settings(self) -> LearningSettings:
        return self._settings(weight_rate=self.rate, activations=self.activations, penalty=self.penalty)
