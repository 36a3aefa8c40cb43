"""A norm in parts gives the bits of the norm of the whole, however an image is cut."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.ops.norm import group_norm
from dgqc.ir.ops.norm_in_parts import channel_sums, normalize

from .numbers import SEEDS

STEPS, LINES, COLUMNS = 2, 9, 5


def numbers(random: torch.Generator, low: int, high: int, *shape: int) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=random, dtype=torch.int64)


@given(
    SEEDS,
    st.sampled_from([1, 2, 4]),
    st.integers(1, 6),
    st.lists(st.integers(1, LINES - 1), max_size=4),
    st.sampled_from([30, 3000, 32767]),
    st.booleans(),
)
def test_parts_are_normalized_as_the_whole(
    seed: int, groups: int, size: int, cuts: list[int], largest: int, own: bool
) -> None:
    random = torch.Generator().manual_seed(seed)
    channels, step = groups * size, torch.tensor(1)
    x = numbers(random, -largest, largest + 1, 1, LINES, COLUMNS, channels).to(torch.int16)
    tables = [
        numbers(random, -(2**31) + 1, 2**31, channels).to(torch.int32),
        numbers(random, 2**20, 2**31, STEPS).to(torch.int32),
        numbers(random, 0, 40, STEPS).to(torch.int32),
        numbers(random, -(2**31) + 1, 2**31, channels).to(torch.int32),
        numbers(random, -(2**30), 2**30, STEPS).to(torch.int32),
        numbers(random, 30, 50, STEPS).to(torch.int32),
        numbers(random, 1, 2**34, STEPS, *([groups] if own else [])),
    ]
    ends = sorted({0, *cuts, LINES})
    parts = [x[:, first:end] for first, end in pairwise(ends)]
    sums = None
    for part in parts:
        sums = channel_sums(sums, part)
    assert sums is not None
    assert torch.equal(sums[0], 16 * x.to(torch.int64).sum(dim=(0, 1, 2)))
    found = [normalize(part, sums, LINES * COLUMNS, step, groups, *tables) for part in parts]
    assert torch.equal(torch.cat(found, dim=1), group_norm(x, step, groups, *tables))
