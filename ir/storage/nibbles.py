"""Two 4-bit integers a byte."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def pack_nibbles(codes: torch.Tensor) -> torch.Tensor:
    """int8 codes in -8 .. 7, of any shape, as uint8 (ceil(n / 2),): the first of each pair in the low half.

    Raises ValueError when a code needs more than 4 bits.
    """
    flat = codes.reshape(-1)
    if flat.numel() and (int(flat.min()) < -8 or int(flat.max()) > 7):
        raise ValueError(f"codes from {int(flat.min())} to {int(flat.max())} don't fit 4 bits (-8 .. 7)")
    halves = (flat & 15).to(torch.uint8)
    if halves.numel() % 2:
        halves = torch.cat([halves, halves.new_zeros(1)])
    return halves[0::2] | (halves[1::2] << 4)


def unpack_nibbles(packed: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The int8 codes of a shape that `pack_nibbles` packed.

    Raises ValueError when there are too many or too few.
    """
    count = math.prod(shape)
    if packed.dtype is not torch.uint8 or packed.numel() != (count + 1) // 2:
        raise ValueError(f"{packed.numel()} bytes can't hold {count} codes of 4 bits")
    halves = torch.stack([packed & 15, packed >> 4], dim=1).reshape(-1)[:count]
    # Shifting the sign bit of the half into that of the byte and back extends it.
    return ((halves << 4).view(torch.int8) >> 4).reshape(tuple(shape))
