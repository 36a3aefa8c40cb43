"""What codes of probabilities stand for, as sums of small digits, each computed from the code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .number import Number, number

Formula = Callable[[Number], Number]


@dataclass(frozen=True)
class ShareDigit:
    """table: int64 (number of codes,), not negative; `factor` times its sum over all digits is the share.

    formula: arithmetic that gives it from a code, i32, which is several times as fast as looking it up.
    """

    table: torch.Tensor
    factor: int
    formula: Formula | None


def share_digits(shares: torch.Tensor, most: int) -> Sequence[ShareDigit]:
    """int64 shares as digits of as many bits each, of at most `most`; none where there is no room for any."""
    size, total, share = (most + 1).bit_length() - 1, int(shares.max()).bit_length(), formula(shares)
    if size == 0:
        return []
    size = -(-total // -(-total // size))

    def digit(shift: int) -> ShareDigit:
        own = share and (lambda code: (share(code) >> shift) & (2**size - 1))
        return ShareDigit(shares >> shift & (2**size - 1), 1 << shift, own)

    return [digit(shift) for shift in range(0, total, size)]


def formula(shares: torch.Tensor) -> Formula | None:
    """The shares as powers of two, or as the codes themselves; None where they are neither."""
    codes, first = torch.arange(len(shares)), int(shares[0])
    if torch.equal(first >> codes, shares):
        return lambda code: number(first, 32) >> code
    return (lambda code: code) if torch.equal(codes, shares) else None
