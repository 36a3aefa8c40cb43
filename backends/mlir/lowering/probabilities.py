"""What codes of probabilities stand for, as sums of small limbs, each computed from the code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ..arithmetic.number import Number, number

Formula = Callable[[Number], Number]


@dataclass(frozen=True)
class ProbabilityLimb:
    """table: int64 (number of codes,), not negative; the sum of `factor` times it is the probability.

    formula: arithmetic that gives it from a code, i32, which is several times as fast as looking it up.
    """

    table: torch.Tensor
    factor: int
    formula: Formula | None


def probability_limbs(probabilities: torch.Tensor, most: int) -> Sequence[ProbabilityLimb]:
    """An int64 table as limbs of as many bits each, of at most `most`; none where there is room for none."""
    size, total = (most + 1).bit_length() - 1, int(probabilities.max()).bit_length()
    probability = formula(probabilities)
    if size == 0:
        return []
    size = -(-total // -(-total // size))

    def limb(shift: int) -> ProbabilityLimb:
        own = probability and (lambda code: (probability(code) >> shift) & (2**size - 1))
        return ProbabilityLimb(probabilities >> shift & (2**size - 1), 1 << shift, own)

    return [limb(shift) for shift in range(0, total, size)]


def formula(probabilities: torch.Tensor) -> Formula | None:
    """The probabilities as powers of two, or as the codes themselves; None where they are neither."""
    codes, first = torch.arange(len(probabilities)), int(probabilities[0])
    if torch.equal(first >> codes, probabilities):
        return lambda code: number(first, 32) >> code
    return (lambda code: code) if torch.equal(codes, probabilities) else None
