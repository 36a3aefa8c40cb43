"""`fbr`: fine-grained block reconstruction, of a block's output and of every layer in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..manager.registry import register_pass
from .reconstruction.as_pass import Learning
from .reconstruction.settings import LearningSettings


@register_pass
@dataclass(frozen=True)
class Fbr(Learning):
    """Learns roundings and scales of activations together (EDA-DM's fine-grained block reconstruction).

    Minimizes |block(x') - block(x)|^2 + layers * sum over the layers inside, the last one excepted, of
    |layer' - layer|^2. Of x', each element comes from the quantized network or, with probability `drop`, from
    the float one; so does each element after each quantizer (QDrop). No rounding penalty; both rates fall to
    0 along a cosine. Blocks are those of `brecq`.

    rate: of weights. scale_rate: of activations' static scales. layers: EDA-DM's gamma. The rest is as in all
        passes that learn.

    Our deviations: a scale is learned as a factor on what calibration found, so that one rate is right for
    scales of any size; the block's and its layers' outputs come from one forward pass, not from two.
    """

    rate: float = 3e-2
    scale_rate: float = 1e-4
    layers: float = 0.8
    drop: float = 0.5

    name: ClassVar[str] = "fbr"
    provides: ClassVar[frozenset[str]] = frozenset({"reconstructed-weights"})

    def settings(self) -> LearningSettings:
        return self._settings(
            weight_rate=self.rate,
            scale_rate=self.scale_rate,
            scales=True,
            annealed=True,
            activations=True,
            penalty=0.0,
            drop=self.drop,
            layers=self.layers,
        )
