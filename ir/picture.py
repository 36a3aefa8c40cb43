"""What a pipeline's pictures are made of besides their texts: pixels or latents, inputs that are the same."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

GREY, COLOURS = 1, 3
USUAL_GUIDANCE = 7.5
"""What most pipelines of latents have."""


@dataclass(frozen=True)
class FixedInput:
    """What one input of a program is for every picture. codes: int16 in the input's shape."""

    input: str
    codes: torch.Tensor


@dataclass(frozen=True)
class PictureFacts:
    """How a pipeline draws with a program.

    block: side of the squares of pixels that the sample's channels hold; None for latents, which a decoder
        shows.
    fixed: inputs that are the same for every picture, as Stable Diffusion XL's sizes are.
    empty_is_zero: whether zeros stand for the states of an empty text that guidance leads away from.
    guidance: its scale where nobody says another; 1 calls the UNet once a step.
    """

    block: int | None = None
    fixed: tuple[FixedInput, ...] = ()
    empty_is_zero: bool = False
    guidance: float = USUAL_GUIDANCE


def pixel_block(channels: int) -> int | None:
    """Side of the squares of pixels that so many channels can hold; None where they can't be pixels.

    Grey and colours are pixels one by one; 3 r^2 channels are colours of r x r pixels, in the order of
    torch.nn.PixelUnshuffle. Whether they are pixels is not said by their number: latents may have as many.
    """
    if channels == GREY:
        return 1
    side = math.isqrt(channels // COLOURS)
    return side if side > 0 and COLOURS * side * side == channels else None
