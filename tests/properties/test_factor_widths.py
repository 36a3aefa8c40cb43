"""Factors beside a row's multiple: one product of int32 numbers, or its upper half."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.factor_widths import REQUIRED, FactorWidths, bits_beside_multiple
from dgqc.ir.arithmetic.fixed_point import multiplier


@given(st.floats(2.0**-30, 2.0**-4), st.integers(1, 255), st.integers(1, 2**29))
def test_one_multiplication_of_two_int32_numbers_is_enough(real: float, multiple: int, total: int) -> None:
    reals = torch.tensor([real], dtype=torch.float64)
    bits = bits_beside_multiple(reals, multiple, float(total))
    factor, shift = (int(part) for part in multiplier(reals, min(31, bits)))
    fits = factor * multiple < 2**31
    upper_half = shift >= 32 - max(0, 31 - math.ceil(total + 1).bit_length())
    assert fits or upper_half


def test_what_holds_what() -> None:
    assert REQUIRED.hold(FactorWidths(factor=16, product=64))
    assert not FactorWidths(factor=32, product=48).hold(REQUIRED)
