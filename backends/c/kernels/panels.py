"""Weights in the order in which the product kernels read them."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from .runtime_header import defined

COLUMNS, QUAD = defined("DGQC_PANEL_COLUMNS"), defined("DGQC_QUAD")
"""Columns of a panel, and indices of the summed axis that lie side by side in it."""
NIBBLE = 4
"""Bits of the narrowest weights that kernels multiply; narrower ones are widened first."""


def panels(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """A weight matrix as panels of 16 columns: blocks of 64 bytes, one a quad of the summed axis.

    weight: int8 (N, K), or (N, kh, kw, C) with taps before channels, each tap padded to whole quads.
    bits: 8, or 2, 3 or 4 that hold all values.
    Returns int8 (ceil(N / 16), quads, 16, 4), or, for 4 bits, uint8 (ceil(N / 16), ceil(quads / 2), 16, 4)
    with quad 2i in the low half of each byte and quad 2i + 1 in the high one. What pads is 0.
    Of 3 bits a panel has blocks with the lowest two of each weight, then such with the signs; of 2 the first.
    """
    columns, channels = weight.shape[0], weight.shape[-1]
    padded = pad(weight.reshape(columns, -1, channels), (0, -channels % QUAD, 0, 0, 0, -columns % COLUMNS))
    quads = padded.reshape(-1, COLUMNS, padded[0].numel() // QUAD, QUAD).transpose(1, 2)
    if bits == 8:
        return quads.contiguous()
    pairs = pad(quads, (0, 0, 0, 0, 0, quads.shape[1] % 2)).view(torch.uint8)
    nibbles = ((pairs[:, 0::2] & 15) | (pairs[:, 1::2] << 4)).contiguous()
    if bits == 4:
        return nibbles
    lowest = _side_by_side(nibbles & 0x33, 2)
    return lowest if bits == 2 else torch.cat([lowest, _side_by_side(nibbles >> 2 & 0x11, 1)], dim=1)


def _side_by_side(blocks: torch.Tensor, bits: int) -> torch.Tensor:
    """Blocks of nibbles that use so many of their lowest bits, as many in one as have room.

    blocks: uint8 (panels, blocks, 16, 4).
    """
    each = NIBBLE // bits
    padded = pad(blocks, (0, 0, 0, 0, 0, -blocks.shape[1] % each))
    packed = padded[:, 0::each].clone()
    for place in range(1, each):
        packed |= padded[:, place::each] << (place * bits)
    return packed


def nibble_bytes(weight: torch.Tensor) -> int:
    """Of its panels with 4 bits. weight: as in `panels`."""
    return -(-weight.shape[0] // COLUMNS) * -(-quads_of(weight) // 2) * COLUMNS * QUAD


def quads_of(weight: torch.Tensor) -> int:
    """Quads of the summed axis, all taps together. weight: as in `panels`."""
    return weight[0].numel() // weight.shape[-1] * -(-weight.shape[-1] // QUAD)
