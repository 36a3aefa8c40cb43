"""From one program's integers to another's: what a text encoder gives and a UNet takes, latents, pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pixel_shuffle

from .arithmetic.fixed_point import multiplier, round_shift, saturate16
from .arithmetic.noise import NOISE_BITS
from .program import Input

PIXEL_SHIFT = 24
"""Behind the point of a pixel's factor."""


@dataclass(frozen=True)
class Crossing:
    """Codes of another scale: `saturate16(round_shift(codes * factor, shift))`, as (3) for each channel.

    factor: int32 below 2^31, shift: int32 1 .. 62; both broadcast to the codes.
    """

    factor: torch.Tensor
    shift: torch.Tensor

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        return saturate16(round_shift(codes.to(torch.int64) * self.factor, self.shift))


def crossing(scale: float, given: Input) -> Crossing:
    """From codes of this scale to the integers of an input at its first call."""
    return Crossing(*multiplier(scale / given.steps(0)))


@dataclass(frozen=True)
class Pixels:
    """Codes as bytes: -1 is 0, 1 is 255.

    factor: what a code is worth, in 2^-24 bytes. block: side of the squares of pixels that channels hold.
    """

    factor: int
    block: int = 1

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """codes: int16 (1, C block^2, H, W), C of 1 or 3. Returns uint8 (H block, W block, C)."""
        codes = pixel_shuffle(codes, self.block)
        middle = 255 << (PIXEL_SHIFT - 1)
        wide = round_shift(codes.to(torch.int64) * self.factor + middle, PIXEL_SHIFT)
        return wide.clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).contiguous()


def pixels(scale: float, block: int = 1) -> Pixels:
    """Of codes of this scale."""
    return Pixels(round(scale * 127.5 * 2**PIXEL_SHIFT), block)


PICTURE_SCALE = 2.0**-NOISE_BITS
"""Of what a denoising loop leaves."""
