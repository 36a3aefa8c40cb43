"""Weights in the order in which the product kernels read them."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from .runtime_header import defined

COLUMNS, QUAD = defined("DGQC_PANEL_COLUMNS"), defined("DGQC_QUAD")
"""Columns of a panel, and indices of the summed axis that lie side by side in it."""


def panels(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """A weight matrix as panels of 16 columns: blocks of 64 bytes, one a quad of the summed axis.

    weight: int8 (N, K), or (N, kh, kw, C) with taps before channels, each tap padded to whole quads.
    bits: 8, or 4 for values -8 .. 7.
    Returns int8 (ceil(N / 16), quads, 16, 4), or, for 4 bits, uint8 (ceil(N / 16), ceil(quads / 2), 16, 4)
    with quad 2i in the low half of each byte and quad 2i + 1 in the high one. What pads is 0.
    """
    columns, channels = weight.shape[0], weight.shape[-1]
    padded = pad(weight.reshape(columns, -1, channels), (0, -channels % QUAD, 0, 0, 0, -columns % COLUMNS))
    quads = padded.reshape(-1, COLUMNS, padded[0].numel() // QUAD, QUAD).transpose(1, 2)
    if bits == 8:
        return quads.contiguous()
    pairs = pad(quads, (0, 0, 0, 0, 0, quads.shape[1] % 2)).view(torch.uint8)
    return ((pairs[:, 0::2] & 15) | (pairs[:, 1::2] << 4)).contiguous()


def quads_of(weight: torch.Tensor) -> int:
    """Quads of the summed axis, all taps together. weight: as in `panels`."""
    return weight[0].numel() // weight.shape[-1] * -(-weight.shape[-1] // QUAD)
