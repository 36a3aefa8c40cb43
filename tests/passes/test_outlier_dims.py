"""`outlier-dims` finds where outliers were planted, by the D of DGQ eq. 4."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import one_site, program_with

from dgqc.ir.plans import Dimension, ObservedOperand, Operand, PlacedOperand, Ranges, Role
from dgqc.passes.activations.outlier_dims import Choice, OutlierDims, spread

LINEAR = Operand(Role.LINEAR, 8, False)


def ranges(values: torch.Tensor, axis: int) -> Ranges:
    """Of (T, rows, channels): along one of the two axes."""
    return Ranges(values.amin(dim=3 - axis), values.amax(dim=3 - axis))


def observed(values: torch.Tensor) -> ObservedOperand:
    return ObservedOperand(LINEAR, ranges(values, 2), ranges(values, 1))


def placed(plan: ObservedOperand, choice: Choice = Choice.AUTO) -> PlacedOperand:
    result = OutlierDims(choice).run(program_with(plan, calls=len(plan.channel.low)))
    found = one_site(result)
    assert isinstance(found, PlacedOperand)
    return found


def test_the_spread_of_equation_4_by_hand() -> None:
    low, high = torch.tensor([[-1.0, -4.0, 0.0]]), torch.tensor([[2.0, 10.0, 3.0]])
    assert spread(Ranges(low, high)) == (10 - 2) + (0 - -4)
    # Two calls add up, each with extremes of its own.
    twice = Ranges(torch.cat([low, -high]), torch.cat([high, -low]))
    assert spread(twice) == 2 * ((10 - 2) + (0 - -4))


def test_equal_ranges_have_no_spread() -> None:
    assert spread(Ranges(torch.full((3, 5), -2.0), torch.full((3, 5), 7.0))) == 0


@given(st.integers(0, 9999), st.sampled_from(list(Dimension)), st.floats(8, 100))
def test_planted_outliers_are_found(seed: int, dimension: Dimension, size: float) -> None:
    values = torch.randn(2, 12, 16, generator=torch.Generator().manual_seed(seed))
    line = values[:, :, 3] if dimension is Dimension.CHANNEL else values[:, 5, :]
    line.add_(size)
    plan = observed(values)
    found = placed(plan)
    assert found.dimension is dimension
    assert found.ranges is (plan.channel if dimension is Dimension.CHANNEL else plan.pixel)
    assert found.operand == LINEAR


def test_calls_decide_together() -> None:
    """A clear spread along channels at one call outweighs a slight one along pixels at others."""
    flat, slight, clear = torch.zeros(1, 4), torch.tensor([[1.0, 2, 1, 1]]), torch.tensor([[1.0, 9, 1, 1]])
    channel = Ranges(torch.zeros(3, 4), torch.cat([clear, flat, flat]))
    pixel = Ranges(torch.zeros(3, 4), torch.cat([flat, slight, slight]))
    assert placed(ObservedOperand(LINEAR, channel, pixel)).dimension is Dimension.CHANNEL


def test_a_tie_goes_to_pixels() -> None:
    same = Ranges(torch.zeros(1, 4), torch.tensor([[1.0, 2, 3, 4]]))
    assert placed(ObservedOperand(LINEAR, same, same)).dimension is Dimension.PIXEL


@pytest.mark.parametrize("choice", [Choice.CHANNEL, Choice.PIXEL])
def test_a_forced_dimension_is_taken_whatever_the_spread(choice: Choice) -> None:
    values = torch.randn(2, 12, 16)
    values[:, :, 3] *= 50
    assert placed(observed(values), choice).dimension.value == choice.value


def test_the_report_counts_both() -> None:
    values = torch.randn(1, 12, 16)
    values[:, :, 3] *= 50
    program = program_with(observed(values), calls=1)
    turned = ObservedOperand(LINEAR, observed(values).pixel, observed(values).channel)
    both = replace(program, plans={**program.plans, "other": turned})
    assert OutlierDims().run(both).report["outlier-dims"] == {"channel": 1, "pixel": 1}
