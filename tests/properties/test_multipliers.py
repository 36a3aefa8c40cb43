"""Real numbers as mantissa and shift."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.fixed_point import (
    ACCUMULATOR_LIMIT,
    bits_for,
    multiplier,
    normalized,
    shared_shift_multipliers,
)

SHARES = st.floats(1e-12, 0.999)
"""Shares of the largest value that a number of bits holds."""


def doubles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(SHARES, st.integers(2, 31), st.integers(40, 62))
def test_multiplier_is_as_precise_as_its_bits(share: float, bits: int, most: int) -> None:
    # Within half a unit of the limit, rounding would carry into a bit too many, where it ends.
    real = share * (2 ** (bits - 1) - 0.5)
    mantissa, shift = (part.item() for part in multiplier(doubles(real), bits, most))
    assert 1 <= shift <= most
    assert 0 <= mantissa < 2**bits
    error = abs(Fraction(mantissa, 2**shift) - Fraction(real))
    if mantissa >= 2 ** (bits - 1):
        assert error <= Fraction(real) / 2**bits
    else:
        assert shift == most, "bits are given up only where the shift has reached its end"
        assert error <= Fraction(1, 2 ** (most + 1))


@given(st.integers(2, 31))
def test_a_mantissa_that_rounds_up_to_a_power_of_two_still_fits(bits: int) -> None:
    mantissa, shift = (part.item() for part in multiplier(doubles(1 - 2.0**-40), bits))
    assert (mantissa, shift) == (2 ** (bits - 1), bits - 1)


@given(st.integers(17, 31), st.floats(1, 1e290))
def test_a_value_beyond_the_bits_saturates_16_bits_as_it_would(bits: int, factor: float) -> None:
    mantissas, shifts = multiplier(doubles(0.5, 2.0 ** (bits - 1) * factor), bits)
    assert shifts.tolist() == [bits, 1]
    assert 2**16 <= mantissas[1].item() < 2**bits
    for x in (-32768, -1, 0, 1, 2):
        y = (x * mantissas[1].item() + 1) >> 1
        assert min(max(y, -32768), 32767) == {-1: -32768, 0: 0, 1: 32767}[(x > 0) - (x < 0)]


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(OverflowError, match="not finite"):
        multiplier(doubles(0.5, value), 31)


def test_zero_is_zero() -> None:
    mantissa, shift = multiplier(doubles(0.0), 31)
    assert mantissa.item() == 0
    assert 1 <= shift.item() <= 62


@given(st.lists(SHARES, min_size=2, max_size=4), st.integers(8, 30))
def test_shared_shifts_lose_at_most_half_a_unit_of_the_largest(shares: list[float], bits: int) -> None:
    reals = [share * (2 ** (bits - 1) - 0.5) for share in shares]
    mantissas, shift = shared_shift_multipliers([doubles(real) for real in reals], bits)
    values = [mantissa.item() for mantissa in mantissas]
    assert max(values) < 2**bits
    assert shift.item() == 62 or max(values) >= 2 ** (bits - 1), "the largest uses all bits"
    for real, value in zip(reals, values, strict=True):
        assert abs(Fraction(value, 2 ** shift.item()) - Fraction(real)) <= Fraction(
            1, 2 ** (shift.item() + 1)
        )


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=6))
def test_normalized_vectors_have_31_bits_of_their_largest_magnitude(values: list[float]) -> None:
    mantissas, unit = normalized(doubles(*values))
    largest = max(abs(value) for value in values)
    assume(largest == 0 or largest > 1e-290)
    assert mantissas.abs().max().item() <= 2**31 - 1
    if largest == 0:
        assert unit == 0
        return
    assert mantissas.abs().max().item() == 2**31 - 1, "the largest uses all bits"
    for value, mantissa in zip(values, mantissas.tolist(), strict=True):
        # float64 itself adds a few 2^-53 of the largest.
        assert abs(mantissa * unit - value) <= 0.501 * unit


@given(st.integers(0, 2**59 - 2))
def test_bits_for_leaves_room_for_the_sum_of_two_products(bound: int) -> None:
    bits = bits_for(bound)
    assert 2 <= bits <= 31
    assert bound * 2**bits <= ACCUMULATOR_LIMIT / 2
    if bits < 31:
        assert (bound + 1) * 2 ** (bits + 1) > ACCUMULATOR_LIMIT / 4, "no bit is given away"
