"""How a unit is learned."""

from __future__ import annotations

from dataclasses import dataclass

from ....ir.errors import DgqcError


@dataclass(frozen=True)
class LearningSettings:
    """Everything that a result depends on beside the program and its samples.

    iterations: of gradient descent, for each unit. batch: samples in each, all of one UNet call.
    samples: of each call, at most.
    weights: whether roundings are learned, at the rate `weight_rate`; scales: whether scales of activations
        are, at `scale_rate`. annealed: whether the rates fall to 0 along a cosine.
    activations: whether activations are quantized, before the unit and inside.
    penalty: weight of the rounding penalty, off for the first `warmup` of the iterations; its exponent falls
        from `beta_start` to `beta_end`.
    drop: share of elements taken from the float network, at the unit's input and at each quantizer (QDrop).
    layers: weight of the error of the layers inside, the last one excepted (EDA-DM's gamma).
    power: of the error.
    """

    iterations: int
    batch: int
    samples: int
    seed: int
    weight_rate: float = 1e-3
    scale_rate: float = 1e-4
    weights: bool = True
    scales: bool = False
    annealed: bool = False
    activations: bool = False
    penalty: float = 0.01
    warmup: float = 0.2
    beta_start: float = 20.0
    beta_end: float = 2.0
    drop: float = 0.0
    layers: float = 0.0
    power: float = 2.0

    def __post_init__(self) -> None:
        for name in ("iterations", "batch", "samples"):
            if getattr(self, name) < 1:
                raise DgqcError(f"{name} is {getattr(self, name)}, but at least 1 is needed.")
        for name in ("weight_rate", "scale_rate"):
            if getattr(self, name) <= 0:
                raise DgqcError(f"A rate is {getattr(self, name):g}, but it must be above 0.")
        if not 0 <= self.drop < 1:
            raise DgqcError(f"drop is {self.drop:g}, but it is a share from 0 to below 1.")
        if self.penalty < 0 or self.layers < 0:
            raise DgqcError("A part of the loss has a negative weight; give 0 or more.")
