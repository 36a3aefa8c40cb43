"""How the 16-bit numbers are cut into pieces on which a function is a parabola.

Pieces are as fine as a number is small, since what a function does, it does around zero, whatever the scale:
0 to 31 each by itself, then 16 pieces an octave; the same for -1 to -32768, mirrored.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

EXACT_BITS = 4
"""2^4 pieces an octave, and one for each number up to 2^5."""
PER_SIGN = 192
PIECES = 2 * PER_SIGN
PLACE_BITS = 10
"""Of a place in a piece: -1023 .. 1023."""
FRACTION = 8
"""Fraction bits of a table's entries: they are in 1/256 steps of the result."""
LARGEST_VALUE = 2**26
"""Of a table's entries."""
LARGEST_STEP = 2**17
"""Values beyond this many steps of the result are as good as this many: 16 bits end at a quarter of it."""

Curve = Callable[[torch.Tensor], torch.Tensor]


def piece_and_place(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The piece that each number lies in, 0 .. 383, and its place there, -1023 .. 1023. x: int64, 16 bits."""
    sign = (x < 0).to(torch.int64)
    size = x ^ -sign
    exponent = sum((size >= 2 << octave).to(torch.int64) for octave in range(EXACT_BITS, 14))
    assert isinstance(exponent, torch.Tensor)
    rest = size & ((1 << exponent) - 1)
    place = (2 * rest + 1 - (1 << exponent)) << (PLACE_BITS - exponent)
    piece = (size >> exponent) + (exponent << EXACT_BITS) + sign * PER_SIGN
    return piece, torch.where(exponent > 0, place, 0)


def parabolas(function: Curve, input_scale: float, output_scale: float) -> torch.Tensor:
    """The table of a function: int32 (384, 3) of value, slope and curve in 1/256 steps of the result.

    function: of float64 reals, element by element. input_scale, output_scale: the real value of a step.
    Each parabola passes through the function at the piece's first, middle and last number, so that what bends
    at the end of a piece is right on both sides. What is no number, such as roots of negative numbers, which
    no value reaches that comes from squares, counts as the function's value at 0.
    """
    ends = _ends()
    at = torch.stack([ends[:, 0], ends.sum(dim=1) / 2, ends[:, 1]])
    values = function(at * input_scale)
    at_zero = values[0, 0].nan_to_num(0.0)
    values = torch.where(values.isnan(), at_zero, values)
    near, middle, far = (values / output_scale).clamp(-LARGEST_STEP, LARGEST_STEP) * 2**FRACTION
    # The middle of a piece of 2^e numbers is place 0; its first and last are 1 - 2^-e of 1024 away.
    width = (ends[:, 1] - ends[:, 0]).abs() + 1
    reach = torch.where(width > 1, 1 - 1 / width, 1.0)
    slope, curve = (far - near) / (2 * reach), (far + near - 2 * middle) / (2 * reach**2)
    table = torch.stack([middle, slope, curve], dim=1)
    single = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    table = torch.where((width == 1)[:, None], table * single, table)
    return torch.round(table).clamp(-LARGEST_VALUE, LARGEST_VALUE).to(torch.int32)


def _ends() -> torch.Tensor:
    """The first and the last number of each piece, in the order of places: float64 (384, 2)."""
    ends = []
    for number in range(PER_SIGN):
        exponent = max(0, number // 2**EXACT_BITS - 1)
        first = (number - exponent * 2**EXACT_BITS) << exponent
        ends.append((first, first + (1 << exponent) - 1))
    positive = torch.tensor(ends, dtype=torch.float64)
    return torch.cat([positive, -1 - positive])
