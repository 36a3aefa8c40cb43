"""How wide the factors of products are: chosen once, for all backends, since bits depend on it.

    result = (total * multiple * factor + half) >> shift

`total` is what a product sums up, `multiple` is its row's where groups are rows, `factor` and `shift` stand
for a real number. Every backend multiplies two int32 numbers to one of 64 bits and shifts that; no more is
asked. Wider factors would be more exact than the 16 bits that remain need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class FactorWidths:
    """What can be multiplied at once. factor: bits of each signed factor. product: bits of their product."""

    factor: int
    product: int

    def hold(self, other: FactorWidths) -> bool:
        """Whether everything that fits `other` fits here."""
        return self.factor >= other.factor and self.product >= other.product


REQUIRED = FactorWidths(factor=32, product=64)
"""What every program asks of who runs it."""


def bits_beside_multiple(real: torch.Tensor, multiple: int, total: float) -> int:
    """Bits of a factor that still fits int32 times its row's multiple, so that one multiplication does both.

    More where its shift would fall so far below 32 that totals, shifted to the left instead, don't fit int32:
    then a result is the upper half of one product of 32 by 32 bits, which most instruction sets have.

    real: float64 (T,), what factor and shift stand for, by call. multiple: the largest of a row, at least 1.
    total: a bound on |total|.
    """
    magnitude = REQUIRED.factor - 1
    _, exponent = torch.frexp(real)
    room = magnitude - math.ceil(total + 1).bit_length()
    return max(magnitude - multiple.bit_length(), REQUIRED.factor + int(exponent.max()) - max(0, room))
