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
from dgqc.passes.activations.widen_ranges import CLIPPED, OWN, WidenRanges, widened

CALLS = 2
VALUES = 4096
"""Of an operand and sample: 16 rows of 256 channels, as it were."""
CHANNELS = 8


def plan(
    samples: int, bits: int = 8, beyond: float = 0.05, narrow: float = 0.05, padded: bool = False
) -> GroupedOperand:
    """Eight channels from -1 to 1 and below, in two groups: wide ones and narrow ones.

    beyond: how far each channel's furthest sample went beyond all others, as a share of its width.
    """
    size = torch.tensor([1.0] * 4 + [narrow] * 4).repeat(CALLS, 1)
    second = size * (1 - 2 * beyond)
    variation = Variation(torch.full((CALLS,), samples), -second, second)
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
    samples: int, bits: int, beyond: float, narrow: float, padded: bool
) -> None:
    before = plan(samples, bits, beyond, narrow, padded)
    assert before.variation is not None
    after = widened(before, before.variation, VALUES)
    assert bool((after.ranges.high >= before.ranges.high).all())
    assert bool((after.ranges.low <= before.ranges.low).all())
    assert bool(torch.isfinite(after.ranges.high).all())
    assert torch.equal(after.group, before.group)


def test_the_fewer_samples_the_wider() -> None:
    ends = [wider(plan(samples)) for samples in (2, 4, 8, 16, 32, 64, 100_000)]
    assert ends == sorted(ends, reverse=True)
    assert ends[2][0] > 1.1
    assert ends[-1] == high(plan(100_000))


def test_a_single_sample_says_nothing_of_its_tail() -> None:
    """However it looks: there was no other."""
    assert wider(plan(1, beyond=0.2)) == wider(plan(1, beyond=0.0))
    assert wider(plan(1))[0] > 1.5


def test_few_samples_draw_a_quiet_group_to_its_layer() -> None:
    wide, narrow = wider(plan(2, beyond=0.0, narrow=0.2))
    assert narrow > 0.9
    assert narrow <= wide
    quiet = wider(plan(2, beyond=0.0, narrow=1.0))
    assert quiet[0] == pytest.approx(quiet[1])


def test_a_group_that_is_far_narrower_stays_so() -> None:
    """By three times its own width at each end: massive channels are the model's making."""
    _, narrow = wider(plan(2, beyond=0.0, narrow=0.001))
    assert narrow == pytest.approx(0.001 + 3 * 0.002, rel=0.01)


def test_invented_contexts_ask_for_room_beside_what_few_samples_ask_for() -> None:
    """A quarter of its width at each end, and of its way to the layer, which counts up to another width."""
    for narrow in (0.8, 0.001):
        one = plan(100_000, beyond=0.0, narrow=narrow)
        assert one.variation is not None
        seen = high(widened(one, one.variation, VALUES))
        wide, own = high(widened(one, one.variation, VALUES, invented=True))
        assert wide == pytest.approx(1 + 0.25 * 2)
        assert own == pytest.approx(seen[1] + 0.25 * 2 * narrow + min(0.25 * (1 - narrow), 2 * narrow))


def test_samples_that_differ_get_more_room_than_those_that_agree() -> None:
    assert wider(plan(8, beyond=0.1))[0] > wider(plan(8, beyond=0.03))[0] > wider(plan(8, beyond=0))[0]


def test_few_bits_round_too_coarsely_to_be_widened() -> None:
    assert wider(plan(8, bits=8))[0] > wider(plan(8, bits=6))[0] >= wider(plan(8, bits=3))[0]
    assert wider(plan(32, bits=3)) == high(plan(32, bits=3))


def test_a_range_away_from_zero_is_drawn_to_its_layer_too() -> None:
    """One channel was never below 2; its layer was."""
    far = Ranges(torch.tensor([[2.0, -0.3]]), torch.tensor([[4.0, 1.0]]))
    seen = Variation(torch.tensor([2]), far.low, far.high)
    one = GroupedOperand(Operand(Role.LINEAR, 8, False), Dimension.CHANNEL, far, torch.tensor([0, 1]), seen)
    assert float(widened(one, seen, 64).ranges.low[0, 0]) < 0


def test_a_group_is_judged_by_its_own_tail_rather_than_by_the_operands() -> None:
    """One group of many channels whose samples agree, one whose samples differ."""
    size = torch.ones(1, 80)
    second = torch.tensor([1.0] * 40 + [0.8] * 40)[None]
    seen = Variation(torch.tensor([16]), -second, second)
    group = torch.tensor([0] * 40 + [1] * 40)
    one = GroupedOperand(Operand(Role.LINEAR, 8, False), Dimension.CHANNEL, Ranges(-size, size), group, seen)
    found = widened(one, seen, VALUES).ranges.high[0]
    assert float(found[40]) > float(found[0]) > 1


def test_half_the_closed_form_which_is_the_least_sum_of_rounding_and_clipping() -> None:
    """d = b ln(12 r L^2 b / (N W)) against a search over d, for the wide group's upper end."""
    found = wider(plan(32, beyond=0.05))[0] - 1
    # All channels' spacings are 0.05 of their width, so the mean over the operand changes nothing.
    tail, common = 2 * 0.05 / 2**0.5, CLIPPED * 4 / 33
    step = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    # Rounding's growth at the first order, as in the pass.
    rounding = VALUES / 2 * (4 + 2 * 2 * step) / (12 * 255**2)
    clipping = 2 * common * tail**2 * torch.exp(-step / tail)
    assert OWN * float(step[(rounding + clipping).argmin()]) == pytest.approx(found, abs=1e-4)


def test_a_spacing_between_records_is_the_tail_of_what_comes() -> None:
    """Of exponential values, what a new sample goes beyond all others has the spacing's mean square."""
    generator = torch.Generator().manual_seed(0)
    values = -torch.rand(20_000, 17, dtype=torch.float64, generator=generator).log()
    records = values[:, :16].sort(dim=1, descending=True).values
    spacing = (records[:, 0] - records[:, 1]).square().mean()
    excess = (values[:, 16] - records[:, 0]).clamp(min=0).square().mean()
    assert float(excess * 17) == pytest.approx(float(spacing), rel=0.15)


def test_plans_without_variation_stay_and_the_report_counts() -> None:
    seen = plan(2)
    bare = replace(seen, variation=None)
    assert one_site(WidenRanges().run(program_with(bare, CALLS))) is bare


def test_a_call_without_samples_is_refused() -> None:
    none = Variation(torch.tensor([1, 0]), torch.zeros(2), torch.zeros(2))
    with pytest.raises(DgqcError, match="at least one calibration sample"):
        widened(plan(1), none, VALUES)
