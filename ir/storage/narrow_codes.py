"""Integers of 2, 3 and 4 bits, packed: four or two a byte; of three bits the lowest two apart from signs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch

BYTE = 8
FIELDS: Mapping[int, tuple[int, ...]] = MappingProxyType({2: (2,), 3: (2, 1), 4: (4,)})
"""What codes of each width are cut into, from the lowest bits on; the fields of all codes lie together."""


def stored_bits(bits: int) -> int:
    """What a code of so many bits takes: whole bytes where it isn't packed. bits: 1 .. 8."""
    return min((width for width in FIELDS if width >= bits), default=BYTE)


def stored_bytes(bits: int, count: int) -> int:
    """Of so many codes."""
    fields = FIELDS.get(stored_bits(bits), (BYTE,))
    return sum(-(-count * width // BYTE) for width in fields)


def pack_codes(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """int8 codes of any shape as uint8 (stored_bytes,), the first of each byte in its lowest bits.

    bits: 2, 3 or 4. Raises ValueError when a code needs more.
    """
    flat, half = codes.reshape(-1), 2 ** (bits - 1)
    if flat.numel() and (int(flat.min()) < -half or int(flat.max()) >= half):
        found = f"codes from {int(flat.min())} to {int(flat.max())}"
        raise ValueError(f"{found} don't fit {bits} bits ({-half} .. {half - 1})")
    left, packed = flat.view(torch.uint8), []
    for width in FIELDS[bits]:
        packed.append(_packed(left & (2**width - 1), width))
        left = left >> width
    return torch.cat(packed)


def unpack_codes(packed: torch.Tensor, bits: int, shape: Sequence[int]) -> torch.Tensor:
    """The int8 codes of a shape that `pack_codes` packed.

    Raises ValueError when there are too many or too few.
    """
    count = math.prod(shape)
    if packed.dtype is not torch.uint8 or packed.numel() != stored_bytes(bits, count):
        raise ValueError(f"{packed.numel()} bytes can't hold {count} codes of {bits} bits")
    codes, place, start = packed.new_zeros(count), 0, 0
    for width in FIELDS[bits]:
        end = start + -(-count * width // BYTE)
        codes |= _unpacked(packed[start:end], width)[:count] << place
        place, start = place + width, end
    # Shifting the sign bit of the code into that of the byte and back extends it.
    spare = BYTE - bits
    return ((codes << spare).view(torch.int8) >> spare).reshape(tuple(shape))


def _packed(fields: torch.Tensor, width: int) -> torch.Tensor:
    """uint8 fields below 2^width, as many a byte as it has room for."""
    each = BYTE // width
    rows = torch.nn.functional.pad(fields, (0, -fields.numel() % each)).reshape(-1, each)
    packed = rows[:, 0].clone()
    for place in range(1, each):
        packed |= rows[:, place] << (place * width)
    return packed


def _unpacked(packed: torch.Tensor, width: int) -> torch.Tensor:
    """All fields of bytes, those that pad the last one too."""
    mask = 2**width - 1
    return torch.stack([packed >> place & mask for place in range(0, BYTE, width)], dim=1).reshape(-1)
