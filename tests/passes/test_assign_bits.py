"""`assign-bits`: never more bytes than the budget, and the cheapest choice that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
import torch
from few_layers import PLANNING, after
from golden.graphs import calibrated, decided, sited, two_layers
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import QuantizedOperand, Weight
from dgqc.ir.program import Program
from dgqc.ir.storage.narrow_codes import stored_bytes
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.weights.quantize_weights import RangeMethod, round_to_nearest
from dgqc.passes.widths.assign_bits import AssignBits
from dgqc.passes.widths.knapsack import chosen, lightest

CHOICES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 50)), min_size=1, max_size=4)
PARTED = 24
"""Bytes of both weights in two bytes each."""


def program() -> Program:
    return calibrated(decided(sited(two_layers())))


def nearest() -> Program:
    """The same with weights rounded to nearest."""
    found = program()
    weights = {name: getattr(found.graph, name) for name in ("proj_weight", "last_weight")}
    rounded = {name: round_to_nearest(real, 4, RangeMethod.MSE) for name, real in weights.items()}
    return replace(found, plans={**found.plans, **rounded})


def assigned(budget: float) -> Program:
    return with_options(f"budget={budget}", program())


def with_options(options: str, given: Program) -> Program:
    done = parse_pipeline(f"assign-bits{{{options},calls=2}}")
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


@pytest.mark.parametrize("budget", [3, 4, 6, 8, 10, 12, 18, PARTED])
def test_the_budget_is_kept_and_more_is_better(budget: int) -> None:
    found = assigned(budget / 10**6)
    report = found.report["assign-bits"]
    assert report["megabytes"] * 10**6 <= budget
    stored = sum(stored_bytes(p.bits, p.codes.numel()) for p in found.plans.values() if isinstance(p, Weight))
    assert stored == round(report["megabytes"] * 10**6)
    if budget == PARTED:
        assert set(report["bits"].values()) == {16}
        assert min(report["after"]) > min(report["before"])


def test_a_weight_that_keeps_its_width_keeps_its_codes() -> None:
    before = nearest()
    changed = with_options("budget=8e-6", before)
    assert changed.report["assign-bits"]["bits"] == {"proj_weight": 4, "last_weight": 8}
    plan, kept = (one.plans["proj_weight"] for one in (before, changed))
    assert isinstance(plan, Weight)
    assert isinstance(kept, Weight)
    assert torch.equal(plan.codes, kept.codes)


def test_refusals() -> None:
    with pytest.raises(DgqcError, match=r"with 2 bits each the weights take 3e-06 MB; give as much"):
        assigned(2e-6)
    both: dict[str, int] = {"budget": 1, "weights": 3}
    for wrong in ({"budget": 0}, both, {"weights": 1}, {"activations": 9}, {"budget": -1}):
        with pytest.raises(DgqcError, match="budget above 0 MB or weights from 2 to 16 bits"):
            AssignBits(**wrong)
    with pytest.raises(DgqcError, match="needs calibration samples"):
        AssignBits(budget=1).run(decided(sited(two_layers())))


@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_a_mean_of_weights_is_never_exceeded(bits: int) -> None:
    found = with_options(f"weights={bits}", nearest()).report["assign-bits"]
    assert found["mean-bits"] <= bits + 1e-9
    assert set(found["bits"].values()) <= {2, 3, 4, 8, 16}
    # Finer is better, and everything that could have been chosen is told.
    for one in found["sensitivities"].values():
        assert list(one) == ["2", "3", "4", "8", "16"]
        assert one["2"] < one["3"] < one["8"] < one["16"]


def operand_bits(found: Program) -> dict[str, int]:
    plans = found.plans.items()
    return {name: plan.operand.bits for name, plan in plans if isinstance(plan, QuantizedOperand)}


@pytest.mark.parametrize(("mean", "wanted"), [(4, {4}), (6, {4, 6, 8}), (8, {4, 6, 8})])
def test_operands_have_widths_of_their_own(mean: int, wanted: set[int]) -> None:
    before = program()
    found = with_options(f"activations={mean}", before)
    assert set(operand_bits(found).values()) <= wanted
    report = found.report["assign-bits"]
    assert report["operand-mean-bits"] <= mean
    assert "bits" not in report
    assert report["operand-bits"] == operand_bits(found)
    assert {name: p for name, p in found.plans.items() if isinstance(p, Weight)}.keys() <= before.plans.keys()


def test_finer_operands_make_a_better_output() -> None:
    found = after(f"{PLANNING},assign-bits{{activations=8}}", frozenset({"probabilities"}))
    report = found.report["assign-bits"]
    assert set(report["operand-bits"].values()) == {8}
    assert min(report["after"]) > min(report["before"])
    for one in report["operand-sensitivities"].values():
        assert one["4"] < one["6"] < one["8"]


def test_ranges_stay_where_widths_change() -> None:
    before = program()
    changed = with_options("activations=8", before)
    for name, plan in changed.plans.items():
        if isinstance(plan, QuantizedOperand):
            old = before.plans[name]
            assert isinstance(old, QuantizedOperand)
            assert plan.operand.bits > 4
            top, old_top = plan.scale * (2**plan.operand.bits - 1), old.scale * 15
            assert torch.allclose(top, old_top)


def test_a_network_too_large_for_gradients_is_judged_by_its_weights() -> None:
    """A weight costs what rounding changes of it: here neither gets lost, and the budget is kept."""
    given = program()
    found = AssignBits(budget=6e-6)._by_weights_alone(given)
    report = found.report["assign-bits"]
    assert report["judged-by"] == "weights alone"
    assert report["megabytes"] <= 6e-6
    for name, bits in report["bits"].items():
        plan = found.plans[name]
        assert isinstance(plan, Weight)
        assert plan.bits == bits


def test_activations_of_a_large_network_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgqc.passes.widths.assign_bits.weight_count", lambda graph: 10**9)
    with pytest.raises(DgqcError, match=r"gradients of 1000 million weights .* leave activations out"):
        AssignBits(weights=4, activations=6).run(program())


def test_a_large_allowance_is_counted_in_units() -> None:
    """Never more than is allowed, and nothing is left that a unit more would have used."""
    weights, costs = [[10**6, 10**7 + 1]] * 5, [[4.0, 1.0]] * 5
    assert sum(chosen(weights, costs, 5 * 10**6 + 3 * 9 * 10**6)) == 2
    assert sum(chosen(weights, costs, 5 * 10**6 + 3 * 9_005_000)) == 3
