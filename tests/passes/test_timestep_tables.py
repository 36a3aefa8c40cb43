"""`timestep-tables`: scales and zero points cover what was observed, within the limits of integers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import one_site, program_with

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import (
    Dimension,
    GroupedOperand,
    ObservedActivation16,
    Operand,
    QuantizedActivation16,
    QuantizedOperand,
    Ranges,
    Role,
)
from dgqc.passes.activations.timestep_tables import (
    LARGEST_ZERO,
    TimestepTables,
    best_base,
    group_ranges,
    scaled,
    tabulate,
)

SEEDS = st.integers(0, 99999)
BITS = st.integers(2, 8)
RATIO_BITS = st.integers(1, 12)


def grouped(seed: int, bits: int, padded: bool = False, far: float = 1.0, groups: int = 4) -> GroupedOperand:
    """Ranges of 12 indices at 3 calls: sizes over several octaves, anywhere up to `far` from 0."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.exp2(torch.randn(3, 12, generator=generator) * 2)
    middle = torch.randn(3, 12, generator=generator) * far
    group = torch.arange(12) % groups
    role = Role.CONVOLUTION if padded else Role.LINEAR
    ranges = Ranges(middle - size, middle + size)
    return GroupedOperand(Operand(role, bits, padded), Dimension.CHANNEL, ranges, group)


def ends(plan: QuantizedOperand) -> tuple[torch.Tensor, torch.Tensor]:
    """The values of the first and the last code, float64 (T, G)."""
    return plan.scale * -plan.zero, plan.scale * (2**plan.operand.bits - 1 - plan.zero)


@given(SEEDS, BITS, RATIO_BITS, st.booleans(), st.floats(0, 50))
def test_codes_cover_every_index_of_a_group_at_every_call(
    seed: int, bits: int, ratio_bits: int, padded: bool, far: float
) -> None:
    plan = grouped(seed, bits, padded, far)
    table = tabulate(plan, ratio_bits)
    first, last = (end[:, plan.group] for end in ends(table))
    # A zero point is rounded, so an end may miss by half a step, which rounds to the last code all the same.
    half = table.scale[:, plan.group] * 0.5000001
    assert bool((first - half <= plan.ranges.low).all())
    assert bool((last + half >= plan.ranges.high).all())


@given(SEEDS, BITS, RATIO_BITS, st.floats(0, 50))
def test_multiples_and_zeros_stay_within_their_integers(
    seed: int, bits: int, ratio_bits: int, far: float
) -> None:
    table = tabulate(grouped(seed, bits, far=far), ratio_bits)
    assert bool(((table.multiple >= 1) & (table.multiple < 2**ratio_bits)).all())
    assert bool((table.zero.abs() <= LARGEST_ZERO).all())
    assert bool((table.base > 0).all())
    assert table.scale.shape == (3, 4)


@given(SEEDS, BITS, st.floats(0, 50))
def test_a_padded_operand_has_a_code_for_zero(seed: int, bits: int, far: float) -> None:
    table = tabulate(grouped(seed, bits, padded=True, far=far), 8)
    assert bool(((table.zero >= 0) & (table.zero <= 2**bits - 1)).all())


def test_an_operand_without_padding_spends_no_code_on_a_zero_it_never_has() -> None:
    plan = grouped(1, 8, far=0)
    away = GroupedOperand(
        plan.operand, plan.dimension, Ranges(plan.ranges.low + 99, plan.ranges.high + 99), plan.group
    )
    assert bool((tabulate(away, 8).zero < 0).all())
    widest = [tabulate(one, 12).scale.amax(dim=1) for one in (away, plan)]
    assert torch.allclose(*widest, rtol=1e-6)


def test_a_narrow_range_far_from_zero_is_widened_until_its_zero_point_fits() -> None:
    low = torch.tensor([[1000.0, -5.0]])
    plan = GroupedOperand(
        Operand(Role.LINEAR, 8, False), Dimension.CHANNEL, Ranges(low, low + 0.001), torch.tensor([0, 1])
    )
    table = tabulate(plan, 12)
    assert int(table.zero.abs().max()) <= LARGEST_ZERO
    assert bool((table.scale[0] >= low[0].abs() / LARGEST_ZERO * 0.999).all())


@given(SEEDS, BITS, RATIO_BITS)
def test_scales_are_rounded_up_by_less_than_a_base(seed: int, bits: int, ratio_bits: int) -> None:
    plan = grouped(seed, bits)
    low, high = group_ranges(plan, 4)
    wanted = (high - low) / (2**bits - 1)
    table = tabulate(plan, ratio_bits)
    excess = table.scale - wanted
    assert bool((excess >= -1e-8 * wanted).all())
    assert bool((excess <= table.base[:, None] * (1 + 1e-9)).all())


@given(SEEDS, BITS, st.integers(1, 10))
def test_the_base_loses_no_more_than_the_finest_one(seed: int, bits: int, ratio_bits: int) -> None:
    """The largest scale as 2^b - 1 steps is the obvious base; the chosen one has at most its error."""
    step = torch.exp2(torch.randn(3, 5, generator=torch.Generator().manual_seed(seed)) * 2).double()
    members = torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.float64)

    def loss(base: torch.Tensor) -> torch.Tensor:
        used = torch.ceil(step / base[:, None] - 1e-9).clamp(min=1) * base[:, None]
        return (used.square() * members).sum(dim=1)

    obvious = step.amax(dim=1) / (2**ratio_bits - 1)
    assert bool((loss(best_base(step, members, ratio_bits)) <= loss(obvious) * (1 + 1e-12)).all())


@given(SEEDS, BITS)
def test_a_single_group_keeps_its_exact_scale(seed: int, bits: int) -> None:
    plan = grouped(seed, bits, groups=1)
    table = tabulate(plan, 8)
    low, high = plan.ranges.low.amin(dim=1), plan.ranges.high.amax(dim=1)
    assert torch.allclose(table.scale[:, 0], (high - low).double() / (2**bits - 1), rtol=1e-6)
    assert bool((table.multiple == 1).all())


def test_a_group_takes_in_all_its_members_and_no_others() -> None:
    low, high = torch.tensor([[-1.0, -2, -30, -4]]), torch.tensor([[10.0, 2, 3, 40]])
    group = torch.tensor([0, 0, 1, 1])
    plan = GroupedOperand(Operand(Role.LINEAR, 8, False), Dimension.CHANNEL, Ranges(low, high), group)
    found = group_ranges(plan, 2)
    assert [part.tolist() for part in found] == [[[-2, -30]], [[10, 40]]]


def test_a_dead_operand_still_has_a_scale() -> None:
    zeros = torch.zeros(2, 4)
    plan = GroupedOperand(
        Operand(Role.LINEAR, 8, True), Dimension.CHANNEL, Ranges(zeros, zeros), torch.arange(4)
    )
    table = tabulate(plan, 8)
    assert bool((table.scale > 0).all() and table.scale.isfinite().all())


@given(st.floats(1, 64), SEEDS)
def test_16_bit_values_hold_what_was_seen_times_the_headroom(headroom: float, seed: int) -> None:
    high = torch.rand(3, 2, generator=torch.Generator().manual_seed(seed)) + 0.1
    found = one_site(TimestepTables(headroom=headroom).run(program_with(ObservedActivation16(high), calls=3)))
    assert isinstance(found, QuantizedActivation16)
    assert torch.allclose(found.scale * 32767, high.double().amax(dim=1) * headroom)


def test_a_value_that_is_silent_at_one_call_has_a_scale_there() -> None:
    found = one_site(
        TimestepTables().run(program_with(ObservedActivation16(torch.tensor([[0.0], [3.0]])), calls=2))
    )
    assert isinstance(found, QuantizedActivation16)
    assert 0 < found.scale[0] < found.scale[1]


@pytest.mark.parametrize("options", [{"ratio_bits": 0}, {"ratio_bits": 13}, {"headroom": 0.5}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(DgqcError, match="timestep-tables takes"):
        TimestepTables(**options)  # type: ignore[arg-type]


@given(st.floats(1e-8, 1e8), st.floats(1e-8, 1e8))
def test_calls_whose_ranges_lie_far_apart_have_scales_of_their_own(first: float, other: float) -> None:
    high = torch.tensor([[first], [0.0], [other]], dtype=torch.float64)
    scales = scaled(ObservedActivation16(high), headroom=2.0).scales[:, 0]
    assert torch.all(scales > 0)
    for call, range_ in ((0, first), (2, other)):
        assert float(scales[call]) == pytest.approx(2 * range_ / 32767, rel=1e-6)
    ranges, group = Ranges(torch.zeros(3, 1), high.float()), torch.zeros(1, dtype=torch.int64)
    operand = Operand(Role.LINEAR, 8, False)
    found = tabulate(GroupedOperand(operand, Dimension.CHANNEL, ranges, group), 7).scale[:, 0]
    for call, range_ in ((0, first), (2, other)):
        assert float(found[call]) == pytest.approx(range_ / 255, rel=1e-2)
