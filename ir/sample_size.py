"""How large one sample is, and how that is written."""

from __future__ import annotations

from collections.abc import Sequence

SampleSize = tuple[int, ...]
"""(height, width), (frames, height, width) or (1, length)."""


def size_of(shape: Sequence[int]) -> SampleSize:
    """The size of a sample of this shape, (B, C, ...)."""
    return (1, int(shape[2])) if len(shape) == 3 else tuple(int(one) for one in shape[2:])


def size_text(size: Sequence[int]) -> str:
    """`64x96` of (64, 96)."""
    return "x".join(str(one) for one in size)
