"""16-bit values to codes: the integer quantizer, its tables, and what codes stand for."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.passes.lowering.operands import quantizer

from .numbers import SEEDS, STEP, clamp, half_up, integers, reals

dgqc = torch.ops.dgqc
BITS = st.integers(2, 8)
GROUPS = 4


def steps(seed: int) -> torch.Tensor:
    """Ratios of input step to code step, (1, G): from 2^-14 (coarse codes) to 2 (codes finer than inputs)."""
    return torch.exp2(reals(seed, 1, GROUPS).clamp(-2, 2) * 3.75 - 6.5)


def zeros(seed: int, ratio: torch.Tensor) -> torch.Tensor:
    """Zero points that put a group's range somewhere among the inputs, often outside of 0 .. 2^bits - 1."""
    middle = integers(seed + 1, -16384, 16383, 1, GROUPS).double()
    return torch.round(-middle * ratio).to(torch.int64)


def quantize(x: torch.Tensor, ratio: torch.Tensor, zero: torch.Tensor, bits: int) -> torch.Tensor:
    multiplier, offset, shift = (table.to(torch.int32) for table in quantizer(ratio, zero))
    group = torch.arange(GROUPS, dtype=torch.uint8)
    codes: torch.Tensor = dgqc.quantize(x, STEP, multiplier, offset, shift, group, 0, bits)
    return codes


@given(SEEDS, BITS)
def test_codes_are_the_formula_but_for_ties_within_the_multipliers_error(seed: int, bits: int) -> None:
    ratio = steps(seed)
    zero = zeros(seed, ratio)
    x = integers(seed + 2, -32768, 32767, GROUPS, 40, dtype=torch.int16)
    codes = quantize(x, ratio, zero, bits)
    _, _, shift = quantizer(ratio, zero)
    for g in range(GROUPS):
        exact_ratio = Fraction(ratio[0, g].item())
        for value, code in zip(x[g].tolist(), codes[g].tolist(), strict=True):
            real = value * exact_ratio + zero[0, g].item()
            expected = clamp(half_up(real), 0, 2**bits - 1)
            # The multiplier is off by at most half a unit of 2^-shift.
            slack = abs(Fraction(value, 2 ** (shift[0, g].item() + 1)))
            distance = abs(real - half_up(real - Fraction(1, 2)) - Fraction(1, 2))
            assert code == expected or (abs(code - expected) == 1 and distance <= slack)


@given(SEEDS)
def test_the_multipliers_error_is_small_beside_a_code(seed: int) -> None:
    ratio = steps(seed)
    multiplier, _, shift = quantizer(ratio, zeros(seed, ratio))
    error = (multiplier.double() / torch.exp2(shift.double()) - ratio).abs() * 16384
    # Calibrated values reach half of int16; a multiplier of 14 bits or more is exact to 2^-15 of them,
    # and a code whose range lies k ranges away from 0 loses a k-th of that.
    reach = 16384 * ratio
    assert bool((error <= 2.0**-14 * reach + 2.0**-11).all())


@given(SEEDS, st.integers(0, 2**14))
def test_nothing_leaves_32_bits(seed: int, largest_zero: int) -> None:
    """Not even with a zero point far from where inputs are."""
    ratio = steps(seed)
    zero = integers(seed + 1, -largest_zero, largest_zero, 1, GROUPS)
    multiplier, offset, _ = quantizer(ratio, zero)
    assert bool(((multiplier >= 0) & (multiplier < 2**15)).all())
    for x in (-32768, 32767):
        assert bool(((x * multiplier + offset).abs() < 2**31).all())


@given(SEEDS, BITS)
def test_codes_stand_for_their_values_within_half_a_step(seed: int, bits: int) -> None:
    ratio = steps(seed)
    zero = zeros(seed, ratio)
    x = integers(seed + 2, -32768, 32767, GROUPS, 40, dtype=torch.int16)
    codes = quantize(x, ratio, zero, bits)
    wanted = x.double() * ratio.T  # in code steps
    found = codes.double() - zero.T
    low, high = -zero.T.double(), 2**bits - 1 - zero.T.double()
    _, _, shift = quantizer(ratio, zero)
    small = x.double().abs() * torch.exp2(-(shift.T + 1).double())
    inside = (wanted >= low) & (wanted <= high)
    assert bool(((wanted - found).abs() <= 0.5 + small)[inside].all())
    clamped = torch.where(wanted < low, low.expand_as(wanted), high.expand_as(wanted))
    far = (wanted < low - 0.5 - small) | (wanted > high + 0.5 + small)
    assert bool((found == clamped)[far].all())


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_each_index_along_the_axis_has_the_scale_of_its_group(axis: int) -> None:
    shape = (2, 3, 4)
    x = integers(5, -32768, 32767, *shape, dtype=torch.int16)
    group = torch.arange(shape[axis], dtype=torch.uint8) % 2
    tables = tuple(
        t.to(torch.int32) for t in quantizer(torch.tensor([[0.01, 0.03]]), torch.tensor([[7, 90]]))
    )
    codes = dgqc.quantize(x, STEP, *tables, group, axis, 8)
    for index in range(shape[axis]):
        alone = tuple(t[:, group[index].item()].unsqueeze(1) for t in tables)
        part = x.select(axis, index).unsqueeze(0)
        expected = dgqc.quantize(part, STEP, *alone, torch.zeros(1, dtype=torch.uint8), 0, 8)[0]
        assert torch.equal(codes.select(axis, index), expected)


def test_tables_are_read_at_the_call() -> None:
    x = torch.tensor([100, 200], dtype=torch.int16)
    multiplier, offset, shift = (
        t.to(torch.int32) for t in quantizer(torch.tensor([[0.1], [0.5]]), torch.tensor([[0], [3]]))
    )
    group = torch.zeros(2, dtype=torch.uint8)
    rows = [
        dgqc.quantize(x, torch.tensor(t), multiplier, offset, shift, group, 0, 8).tolist() for t in range(2)
    ]
    assert rows == [[10, 20], [53, 103]]


def test_codes_that_are_far_finer_than_inputs_saturate() -> None:
    ratio = torch.tensor([[2.0**40]], dtype=torch.float64)
    multiplier, offset, shift = quantizer(ratio, torch.tensor([[7]]))
    inputs = torch.tensor([-32768, -1, 0, 1, 32767])
    assert ((inputs * multiplier + offset) >> shift).clamp(0, 255).tolist() == [[0, 0, 7, 255, 255]]


def test_a_zero_out_of_reach_is_refused() -> None:
    with pytest.raises(OverflowError, match="codes away"):
        quantizer(torch.ones(1, 1, dtype=torch.float64), torch.tensor([[2**30]]))
