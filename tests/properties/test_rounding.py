"""The one rounding rule against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.fixed_point import floor_log2, round_shift, saturate16, saturate32, shift_either_way

from .numbers import clamp, half_up

WIDE = st.integers(-(2**62) + 1, 2**62 - 1)


@given(WIDE, st.integers(1, 62))
def test_round_shift_is_the_nearest_integer_with_ties_up(x: int, shift: int) -> None:
    assert round_shift(torch.tensor(x), shift).item() == half_up(Fraction(x, 2**shift))


@given(st.integers(-(2**30), 2**30), st.integers(1, 30))
def test_exact_ties_go_up(whole: int, shift: int) -> None:
    x = (2 * whole + 1) << (shift - 1)  # whole + 1/2
    assert round_shift(torch.tensor(x), shift).item() == whole + 1


@given(st.integers(-(2**52), 2**52), st.integers(-9, 70))
def test_shift_either_way_multiplies_by_a_power_of_two(x: int, shift: int) -> None:
    expected = half_up(Fraction(x, 2**shift)) if shift > 0 else x * 2**-shift
    assert shift_either_way(torch.tensor(x), torch.tensor(shift)).item() == expected


@given(st.integers(1, 2**62 - 1))
def test_floor_log2_is_the_position_of_the_highest_bit(x: int) -> None:
    assert floor_log2(torch.tensor(x)).item() == x.bit_length() - 1


@given(st.integers(0, 61))
def test_floor_log2_at_powers_of_two_and_just_below(n: int) -> None:
    below = floor_log2(torch.tensor(max(2**n - 1, 1))).item()
    assert (floor_log2(torch.tensor(2**n)).item(), below) == (n, max(n - 1, 0))


@given(st.integers(-(2**40), 2**40))
def test_saturation_keeps_what_fits_and_clamps_the_rest(x: int) -> None:
    assert saturate16(torch.tensor(x)).item() == clamp(x, -(2**15), 2**15 - 1)
    assert saturate32(torch.tensor(x)).item() == clamp(x, -(2**31), 2**31 - 1)
