"""What is to be drawn: noise, conditions, guidance, and where to begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real

import torch

from .errors import DgqcError

GUIDANCE_BITS = 16
UNGUIDED = 1 << GUIDANCE_BITS
"""A guidance scale of 1."""
MOST_GUIDANCE = 32767.0

Watcher = Callable[[int, int], None]
"""progress(done, calls), told after each step of a drawing."""


def ignore(done: int, calls: int) -> None:
    """Watches nothing."""


@dataclass(frozen=True)
class Drawing:
    """One picture to be drawn, in a program's integers.

    noise: int16 in Q12, as many pictures as the loop takes on the first axis.
    conditions: the program's inputs but the sample, int16 by name. negative: what guidance leads away from,
        likewise; empty where there is none.
    guidance: in 2^-16; 65536 calls the program once a step.
    latent: what to begin from, int16 in Q12, in the sample's shape; None begins from noise alone.
    start: the first call.
    """

    noise: torch.Tensor
    conditions: Mapping[str, torch.Tensor] = field(default_factory=dict)
    negative: Mapping[str, torch.Tensor] = field(default_factory=dict)
    guidance: int = UNGUIDED
    latent: torch.Tensor | None = None
    start: int = 0

    @property
    def guides(self) -> bool:
        """Whether each step needs two calls."""
        return self.guidance != UNGUIDED


@dataclass(frozen=True)
class Wish:
    """A picture of a prompt. negative: what guidance leads away from. guidance: in 2^-16. seed: of the noise.

    latent, start: as in `Drawing`.
    """

    prompt: str
    negative: str
    guidance: int
    seed: int
    latent: torch.Tensor | None = None
    start: int = 0


def fixed_guidance(scale: float) -> int:
    """A guidance scale in 2^-16. Raises DgqcError for one that no drawing takes."""
    if not isinstance(scale, Real) or not abs(scale) <= MOST_GUIDANCE:
        raise DgqcError(
            f"A guidance scale of {scale!r} can't be; give {-MOST_GUIDANCE:g} to {MOST_GUIDANCE:g}."
        )
    return round(scale * UNGUIDED)
