"""Which calls are full: as good as the best of all choices, which a search by hand finds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.passes.caching.full_calls import full_calls, lengths, sources


def every_choice(calls: int, runs: int, least: int, most: int) -> Iterator[tuple[int, ...]]:
    """All lengths of so many runs that make up all calls."""
    if runs == 0:
        yield from [()] if calls == 0 else []
        return
    for length in range(least, min(most, calls) + 1):
        for rest in every_choice(calls - length, runs - 1, least, most):
            yield (length, *rest)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 13), st.integers(2, 6), st.integers(0, 2**16))
def test_no_other_choice_costs_less(calls: int, interval: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    runs, least, most = lengths(calls, interval)
    cost = torch.randint(0, 100, (calls, most, most + 1), generator=random).double()
    cost[:, 0] = 0
    least = 1 if seed % 2 else least
    found = full_calls(cost, interval, least)
    ends = (*found[1:], calls)
    assert found[0] == 0
    assert len(found) == runs == math.ceil(calls / interval)
    assert all(least <= end - begin <= most for begin, end in zip(found, ends, strict=True))

    def total(begins: tuple[int, ...]) -> float:
        stops = (*begins[1:], calls)
        before = (0, *(b - a for a, b in pairwise(begins)))
        runs = zip(begins, stops, before, strict=True)
        return sum(float(cost[b, : e - b, f].sum()) for b, e, f in runs)

    choices = every_choice(calls, runs, least, most)
    best = min(total(tuple(sum(one[:place]) for place in range(runs))) for one in choices)
    assert total(found) == best


@given(st.integers(1, 60), st.integers(2, 70))
def test_there_always_is_a_choice(calls: int, interval: int) -> None:
    most = 2 * interval
    found = full_calls(torch.ones(calls, most, most + 1, dtype=torch.float64), interval)
    assert found[0] == 0
    assert list(found) == sorted(set(found))


def test_calls_take_the_last_full_one() -> None:
    assert sources((0, 2, 5), 7).tolist() == [0, 0, 2, 2, 2, 5, 5]


def test_features_that_stay_are_kept_and_those_that_jump_are_not() -> None:
    features = torch.tensor([0.0, 0, 0, 9, 9, 9, 9, 4, 4, 4])
    later = torch.arange(10)[:, None] + torch.arange(8)
    cost = (features[:, None] - features[later.clamp(max=9)]).abs().double()
    assert full_calls(cost[:, :, None].expand(-1, -1, 9), 4) == (0, 3, 7)
