"""The denoising loop around a program's calls, in integers: from noise to a picture.

Between two calls of the UNet a sampler combines the noisy picture (the state) with what the UNet says. The
state is int32 in units of 2^-24 (it reaches +-128), noise and the finished picture are int16 in 2^-12. The
loop is the reference that emitted loops agree with, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch

from .arithmetic.fixed_point import round_shift, saturate16, saturate32
from .arithmetic.noise import NOISE_BITS

STATE_BITS = 24
UNCLIPPED = 2**31 - 1
"""A limit that nothing reaches."""


@dataclass(frozen=True)
class Combination:
    """What a sampler does after one call, x being the state and y the UNet's output, in real numbers:

    clean = clean_of_state * x + clean_of_output * y, clipped to the sampler's limit,
    next = next_of_clean * clean + next_of_state * x + next_of_output * y.
    """

    clean_of_state: float
    clean_of_output: float
    next_of_clean: float
    next_of_state: float
    next_of_output: float


@dataclass(frozen=True)
class Sampler:
    """A deterministic sampler. calls: one combination a call. limit: of the clean picture, None for none."""

    calls: tuple[Combination, ...]
    limit: float | None


@dataclass(frozen=True)
class Labels:
    """What stands for each class label in the place of one input. codes: int16 (labels, *input shape)."""

    input: str
    codes: torch.Tensor


@dataclass(frozen=True)
class DenoisingLoop:
    """A sampler's tables for one program, int32 (T,) each; `*_shift` 1 .. 62, factors as said.

    sample_*: from the state to the codes that the UNet takes; factors below 2^30.
    output_*: from the UNet's codes to the state's unit; factors below 2^31.
    clean_*, next_*: the combination; magnitudes below 2^28, so that three products stay below 2^61.
    limit: of the clean picture, in the state's unit.
    """

    sample_factor: torch.Tensor
    sample_shift: torch.Tensor
    output_factor: torch.Tensor
    output_shift: torch.Tensor
    clean_of_state: torch.Tensor
    clean_of_output: torch.Tensor
    clean_shift: torch.Tensor
    next_of_clean: torch.Tensor
    next_of_state: torch.Tensor
    next_of_output: torch.Tensor
    next_shift: torch.Tensor
    limit: int
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.sample_factor)

    @property
    def tables(self) -> dict[str, torch.Tensor]:
        """The per-call tables by name."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}

    def begin(self, noise: torch.Tensor) -> torch.Tensor:
        """The first state, int32, from int16 noise."""
        return (noise.to(torch.int64) << (STATE_BITS - NOISE_BITS)).to(torch.int32)

    def sample(self, state: torch.Tensor, step: int) -> torch.Tensor:
        """The UNet's int16 input: `saturate16(round_shift(state * factor, shift))`."""
        return saturate16(
            round_shift(state.to(torch.int64) * self.sample_factor[step], self.sample_shift[step])
        )

    def update(self, state: torch.Tensor, output: torch.Tensor, step: int) -> torch.Tensor:
        """The next state from the UNet's int16 output. Each combination is rounded once, then saturated."""
        x = state.to(torch.int64)
        y = _rounded(output.to(torch.int64) * self.output_factor[step], self.output_shift[step])
        clean = x * self.clean_of_state[step] + y * self.clean_of_output[step]
        clean = _rounded(clean, self.clean_shift[step]).clamp(-self.limit, self.limit)
        following = clean * self.next_of_clean[step] + x * self.next_of_state[step]
        following = following + y * self.next_of_output[step]
        return _rounded(following, self.next_shift[step]).to(torch.int32)

    def end(self, state: torch.Tensor) -> torch.Tensor:
        """The picture, int16, from the last state."""
        return saturate16(round_shift(state.to(torch.int64), STATE_BITS - NOISE_BITS))

    def run(self, call: Callable[[torch.Tensor, int], torch.Tensor], noise: torch.Tensor) -> torch.Tensor:
        """A whole drawing. call(sample, step): one UNet call, int16 to int16. noise: int16 of the sample's
        shape. Returns int16 in Q12."""
        state = self.begin(noise)
        for step in range(len(self)):
            state = self.update(state, call(self.sample(state, step), step), step)
        return self.end(state)


def _rounded(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Rounded and saturated to int32, as int64."""
    return saturate32(round_shift(x, shift)).to(torch.int64)
