"""The one interval arithmetic against brute force, its bounds against the formulas that kernels rely on."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.arithmetic.accumulators import WeightSums, accumulator, centered_codes
from dgqc.ir.arithmetic.intervals import CERTAIN, Interval, below
from dgqc.ir.plans import Dimension, Operand, QuantizedOperand, Role
from dgqc.passes.lowering.operands import centered_interval, value_interval
from dgqc.passes.lowering.products import accumulator_bound, activation_product_bound

NUMBERS = st.integers(-(2**20), 2**20)
SEEDS = st.integers(0, 2**31)


def interval(*ends: tuple[int, int]) -> Interval:
    low, high = zip(*(sorted(pair) for pair in ends), strict=True)
    return Interval(torch.tensor(low), torch.tensor(high))


@given(st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS), st.integers(-99, 99), st.data())
def test_no_result_lies_outside(
    a: tuple[int, int], b: tuple[int, int], factor: int, data: st.DataObject
) -> None:
    one, other = interval(a), interval(b)
    x, y = (data.draw(st.integers(*sorted(pair))) for pair in (a, b))

    def holds(found: Interval, number: int) -> bool:
        return bool(found.low <= number) and bool(number <= found.high)

    assert holds(one + other, x + y)
    assert holds(one.scaled(torch.tensor(factor)), x * factor)
    assert holds(one.with_zero(), x)
    assert holds(one.with_zero(), 0)
    assert abs(x) <= int(one.absolute_maximum)
    both = interval(a, b).united(0)
    assert holds(both, x)
    assert holds(both, y)


def test_what_fits() -> None:
    assert interval((-128, 127)).fits(8)
    assert not interval((-129, 0)).fits(8)
    assert not interval((0, 128)).fits(8)
    assert below(torch.tensor([1.0, 99.0]), 100)
    assert not below(torch.tensor([1.0, 100 * CERTAIN]), 100)
    assert below(torch.zeros(0), 0)
    assert not below(torch.tensor(float("nan")), 1)


def tables(seed: int, groups: int) -> tuple[QuantizedOperand, torch.Tensor, torch.Tensor]:
    """A plan of 6 bits for 12 channels and 3 calls, a weight (5, 2, 2, 12), the group of each channel."""
    random = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=random)

    group, zero, multiple = draw(0, groups, 12), draw(-9, 80, 3, groups), draw(1, 2**12, 3, groups)
    base, operand = torch.ones(3, dtype=torch.float64), Operand(Role.LINEAR, 6, padded=False)
    plan = QuantizedOperand(operand, Dimension.CHANNEL, group, base, multiple, zero)
    return plan, draw(-128, 128, 5, 2, 2, 12).to(torch.int8), group


@given(SEEDS, st.integers(1, 4))
@settings(max_examples=30)
def test_lowering_bounds_magnitudes_term_by_term(seed: int, groups: int) -> None:
    plan, weight, group = tables(seed, groups)
    largest = plan.multiple * torch.maximum(plan.zero.abs(), (63 - plan.zero).abs())
    rows = weight.to(torch.int64).abs().sum(dim=(1, 2))
    assert torch.equal(value_interval(plan).absolute_maximum, largest)
    assert torch.equal(centered_interval(plan).absolute_maximum * plan.multiple, largest)
    assert accumulator_bound(plan, weight, group) == int((rows @ largest[:, group].T).max())
    assert accumulator_bound(plan, weight, None) == int(largest.max() * rows.sum(dim=1).max())
    assert activation_product_bound(plan, plan, 7) == 7 * int(largest.amax(dim=1).max()) ** 2


@given(SEEDS, st.integers(1, 4))
@settings(max_examples=30)
def test_a_bound_for_all_calls_holds_at_each(seed: int, groups: int) -> None:
    plan, weight, group = tables(seed, groups)
    operand, sums = centered_codes((0, 63), plan.zero, plan.multiple), WeightSums.of(weight, group, groups)
    each, united = accumulator(operand, sums), accumulator(operand.united(0, keepdim=True), sums)
    assert bool((each.partial <= united.partial).all())
    assert bool((each.reached.absolute_maximum <= each.partial).all())
    by_rows = accumulator(operand, WeightSums.of(weight, None, groups), along_channels=False)
    assert bool((each.partial <= by_rows.partial).all())


@given(SEEDS, st.integers(1, 4))
@settings(max_examples=30)
def test_parts_of_sums_of_codes_stay_within_their_bound(seed: int, groups: int) -> None:
    _, weight, group = tables(seed, groups)
    codes = torch.randint(0, 64, (12,), generator=torch.Generator().manual_seed(seed))
    largest = 63 * WeightSums.of(weight, group, groups).largest_part
    for one in range(groups):
        terms = (weight.to(torch.int64) * codes)[..., group == one].flatten(1)
        assert bool((terms.cumsum(dim=1).abs() <= largest[one, :, None]).all())
