"""`widen-ranges`: few samples get room, many keep what was seen, narrow groups are drawn to their layer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import one_site, program_with

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Dimension, GroupedOperand, Operand, Ranges, Role, Variation
from dgqc.passes.activations.widen_ranges import WidenRanges, widened

CALLS = 2
VALUES = 4096
"""Of an operand and sample: 16 rows of 256 channels, as it were."""
CHANNELS = 8


def plan(
    samples: int, bits: int = 8, deviation: float = 0.1, narrow: float = 0.05, padded: bool = False
) -> GroupedOperand:
    """Eight channels from -1 to 1 and below, in two groups: wide ones and narrow ones."""
    size = torch.tensor([1.0] * 4 + [narrow] * 4).repeat(CALLS, 1)
    variation = Variation(torch.full((CALLS,), samples), *(torch.full((CALLS,), deviation) for _ in range(2)))
    group = torch.tensor([0] * 4 + [1] * 4)
    operand = Operand(Role.CONVOLUTION if padded else Role.LINEAR, bits, padded)
    return GroupedOperand(operand, Dimension.CHANNEL, Ranges(-size, size), group, variation)


def high(one: GroupedOperand) -> tuple[float, float]:
    """Upper ends of the wide and of the narrow group at the first call."""
    return float(one.ranges.high[0, 0]), float(one.ranges.high[0, 4])


def wider(one: GroupedOperand) -> tuple[float, float]:
    assert one.variation is not None
    return high(widened(one, one.variation, VALUES))


@given(
    st.integers(1, 200),
    st.integers(2, 8),
    st.floats(0, 1, width=32),
    st.floats(0, 1, width=32),
    st.booleans(),
)
def test_ranges_never_shrink_and_stay_finite(
    samples: int, bits: int, deviation: float, narrow: float, padded: bool
) -> None:
    before = plan(samples, bits, deviation, narrow, padded)
    assert before.variation is not None
    after = widened(before, before.variation, VALUES)
    assert bool((after.ranges.high >= before.ranges.high).all())
    assert bool((after.ranges.low <= before.ranges.low).all())
    assert bool(torch.isfinite(after.ranges.high).all())
    assert torch.equal(after.group, before.group)


def test_the_fewer_samples_the_wider() -> None:
    ends = [wider(plan(samples)) for samples in (1, 2, 4, 8, 16, 32, 64, 1000)]
    assert ends == sorted(ends, reverse=True)
    assert ends[3][0] > 1.1
    assert ends[-1] == high(plan(1000))


def test_few_samples_draw_a_quiet_group_to_its_layer() -> None:
    wide, narrow = wider(plan(2, deviation=0.0, narrow=0.2))
    assert narrow > 0.9
    assert narrow <= wide
    quiet = wider(plan(2, deviation=0.0, narrow=1.0))
    assert quiet[0] == pytest.approx(quiet[1])


def test_a_group_that_is_far_narrower_stays_so() -> None:
    """By three times its own width at each end: massive channels are the model's making."""
    _, narrow = wider(plan(2, deviation=0.0, narrow=0.001))
    assert narrow == pytest.approx(0.001 + 3 * 0.002, rel=0.01)


def test_samples_that_differ_get_more_room_than_those_that_agree() -> None:
    assert (
        wider(plan(8, deviation=0.3))[0] > wider(plan(8, deviation=0.1))[0] > wider(plan(8, deviation=0))[0]
    )


def test_few_bits_round_too_coarsely_to_be_widened() -> None:
    assert wider(plan(8, bits=8))[0] > wider(plan(8, bits=6))[0] >= wider(plan(8, bits=3))[0]
    assert wider(plan(32, bits=3)) == high(plan(32, bits=3))


def test_a_range_away_from_zero_is_drawn_to_its_layer_too() -> None:
    """One channel was never below 2; its layer was."""
    far = Ranges(torch.tensor([[2.0, -0.3]]), torch.tensor([[4.0, 1.0]]))
    seen = Variation(torch.tensor([2]), torch.zeros(1), torch.zeros(1))
    one = GroupedOperand(Operand(Role.LINEAR, 8, False), Dimension.CHANNEL, far, torch.tensor([0, 1]), seen)
    assert float(widened(one, seen, 64).ranges.low[0, 0]) < 0


def test_the_closed_form_is_the_least_sum_of_rounding_and_clipping() -> None:
    """d = b ln(12 r L^2 b / (n W)) against a search over d, for the wide group's upper end."""
    before = plan(8, deviation=0.1)
    found = wider(before)[0] - 1
    share = ((8 - 1) * 0.05**2 + 2 * (0.15 / 2) ** 2) / (8 - 1 + 2)
    tail, common = 6**0.5 / torch.pi * 2 * share**0.5, (10 / 8) ** 3
    step = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    # Rounding's growth at the first order, as in the pass.
    rounding = VALUES / 2 * (4 + 2 * 2 * step) / (12 * 255**2)
    clipping = 2 * common * tail**2 * torch.exp(-step / tail)
    assert float(step[(rounding + clipping).argmin()]) == pytest.approx(found, abs=1e-4)


def test_plans_without_variation_stay_and_the_report_counts() -> None:
    seen = plan(2)
    bare = replace(seen, variation=None)
    assert one_site(WidenRanges().run(program_with(bare, CALLS))) is bare


def test_a_call_without_samples_is_refused() -> None:
    none = Variation(torch.tensor([1, 0]), torch.zeros(2), torch.zeros(2))
    with pytest.raises(DgqcError, match="at least one calibration sample"):
        widened(plan(1), none, VALUES)
