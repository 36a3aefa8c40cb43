"""`assign-bits`: never more bytes than the budget, and the cheapest choice that fits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
import torch
from golden.graphs import calibrated, decided, sited, two_layers
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Weight
from dgqc.ir.program import Program
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.widths.assign_bits import AssignBits
from dgqc.passes.widths.knapsack import chosen, lightest

CHOICES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 50)), min_size=1, max_size=4)
PARTED = 24
"""Bytes of both weights in two bytes each."""


def program() -> Program:
    return calibrated(decided(sited(two_layers())))


def assigned(budget: float) -> Program:
    done = parse_pipeline(f"assign-bits{{budget={budget},calls=2}}")
    given = program()
    return PassManager(done).run(Program(**{**vars(given), "facts": done[0].requires}))


@settings(max_examples=40, deadline=None)
@given(st.lists(CHOICES, min_size=1, max_size=4), st.integers(0, 80))
def test_no_other_choice_that_fits_costs_less(items: list[list[tuple[int, int]]], spare: int) -> None:
    weights = [[weight for weight, _ in choices] for choices in items]
    costs = [[float(cost) for _, cost in choices] for choices in items]
    allowed = lightest(weights) + spare
    places = chosen(weights, costs, allowed)

    def total(table: Sequence[Sequence[float]], at: tuple[int, ...]) -> float:
        return sum(row[place] for row, place in zip(table, at, strict=True))

    every = [at for at in product(*(range(len(row)) for row in weights)) if total(weights, at) <= allowed]
    assert total(weights, tuple(places)) <= allowed
    assert total(costs, tuple(places)) <= min(total(costs, at) for at in every) + 1e-9


@pytest.mark.parametrize("budget", [6, 8, 10, 12, 18, PARTED])
def test_the_budget_is_kept_and_more_is_better(budget: int) -> None:
    found = assigned(budget / 10**6)
    report = found.report["assign-bits"]
    assert report["megabytes"] * 10**6 <= budget
    stored = sum(
        p.codes.numel() * (4 if p.bits <= 4 else 8) // 8
        for p in found.plans.values()
        if isinstance(p, Weight)
    )
    assert stored == round(report["megabytes"] * 10**6)
    if budget == PARTED:
        assert set(report["bits"].values()) == {16}
        assert min(report["after"]) > min(report["before"])


def test_a_weight_that_keeps_its_width_keeps_its_codes() -> None:
    before, after = program(), assigned(8e-6)
    assert after.report["assign-bits"]["bits"] == {"proj_weight": 4, "last_weight": 8}
    plan, kept = (one.plans["proj_weight"] for one in (before, after))
    assert isinstance(plan, Weight)
    assert isinstance(kept, Weight)
    assert torch.equal(plan.codes, kept.codes)


def test_refusals() -> None:
    with pytest.raises(DgqcError, match=r"with 4 bits each the weights take 6e-06 MB"):
        assigned(5e-6)
    with pytest.raises(DgqcError, match="budget above 0 MB"):
        AssignBits(budget=0)
    with pytest.raises(DgqcError, match="needs calibration samples"):
        AssignBits(budget=1).run(decided(sited(two_layers())))


def test_a_large_allowance_is_counted_in_units() -> None:
    """Never more than is allowed, and nothing is left that a unit more would have used."""
    weights, costs = [[10**6, 10**7 + 1]] * 5, [[4.0, 1.0]] * 5
    assert sum(chosen(weights, costs, 5 * 10**6 + 3 * 9 * 10**6)) == 2
    assert sum(chosen(weights, costs, 5 * 10**6 + 3 * 9_005_000)) == 3
