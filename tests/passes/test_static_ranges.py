"""`static-ranges` gives every call the range of all of them."""

from __future__ import annotations

import torch
from planned import one_site, program_with

from dgqc.ir.plans import ObservedActivation16, ObservedOperand, ObservedProbabilities, Operand, Ranges, Role
from dgqc.passes.activations.static_ranges import StaticRanges


def test_operands_get_the_extremes_over_calls_index_by_index() -> None:
    channel = Ranges(torch.tensor([[-1.0, -5], [-3, 0]]), torch.tensor([[2.0, 1], [1, 9]]))
    pixel = Ranges(torch.tensor([[-5.0], [-3]]), torch.tensor([[2.0], [9]]))
    plan = ObservedOperand(Operand(Role.LINEAR, 8, False), channel, pixel)
    found = one_site(StaticRanges().run(program_with(plan, calls=2)))
    assert isinstance(found, ObservedOperand)
    assert found.channel.low.tolist() == [[-3, -5]] * 2
    assert found.channel.high.tolist() == [[2, 9]] * 2
    assert (found.pixel.low.tolist(), found.pixel.high.tolist()) == ([[-5]] * 2, [[9]] * 2)
    assert found.operand == plan.operand


def test_probabilities_get_the_largest_and_16_bit_values_keep_their_own() -> None:
    high = torch.tensor([0.25, 0.75])
    found = one_site(StaticRanges().run(program_with(ObservedProbabilities(6, high), calls=2)))
    assert isinstance(found, ObservedProbabilities)
    assert found.high.tolist() == [0.75, 0.75]
    activation = ObservedActivation16(high)
    assert one_site(StaticRanges().run(program_with(activation, calls=2))) is activation
