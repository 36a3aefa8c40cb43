"""`add-headroom` widens ranges from zero and leaves everything else alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import one_site, program_with

from dgqc.ir.plans import ObservedActivation16, ObservedOperand, ObservedProbabilities, Operand, Ranges, Role
from dgqc.passes.activations.add_headroom import AddHeadroom


@given(st.floats(1, 1000), st.floats(-100, 0, width=32), st.floats(0, 100, width=32))
def test_every_bound_moves_from_zero_by_the_factor(factor: float, low: float, high: float) -> None:
    ranges = Ranges(torch.tensor([[low]]), torch.tensor([[high]]))
    plan = ObservedOperand(Operand(Role.LINEAR, 8, False), ranges, ranges)
    found = one_site(AddHeadroom(factor).run(program_with(plan, calls=1)))
    assert isinstance(found, ObservedOperand)
    for wider in (found.channel, found.pixel):
        assert torch.equal(wider.low, ranges.low * factor)
        assert torch.equal(wider.high, ranges.high * factor)
        assert float(wider.low) <= low
        assert float(wider.high) >= high
    assert found.operand == plan.operand


def test_16_bit_values_get_room_and_probabilities_none() -> None:
    observed = ObservedActivation16(torch.tensor([[2.0], [4.0]]))
    found = one_site(AddHeadroom(1.5).run(program_with(observed, calls=2)))
    assert isinstance(found, ObservedActivation16)
    assert found.high.tolist() == [[3], [6]]
    probabilities = ObservedProbabilities(6, torch.tensor([0.25, 0.75]))
    assert one_site(AddHeadroom(1.5).run(program_with(probabilities, calls=2))) is probabilities


@pytest.mark.parametrize("factor", [0.5, 0.0, -1.0, 1e9, float("nan")])
def test_what_is_no_headroom_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match="1 to 1000 times"):
        AddHeadroom(factor)
