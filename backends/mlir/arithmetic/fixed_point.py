"""`ir/arithmetic/fixed_point.py` as `arith`: the one rounding rule, saturation, shifts either way."""

from __future__ import annotations

from .number import Number, number


def round_shift(x: Number, shift: Number | int) -> Number:
    """`(x + 2^(shift-1)) >> shift`. shift: at least 1, of x's width."""
    half = 1 << (shift - 1)
    return (x + half) >> shift


def shift_either_way(x: Number, shift: Number) -> Number:
    """`round_shift` where shift >= 1, a left shift by -shift where it is 0 or less. i64."""
    left = x << (-shift).clamp(0, 63)
    return shift.is_at_least(1).choose(round_shift(x, shift.clamp(1, 62)), left)


def saturate(x: Number, width: int) -> Number:
    """The nearest signed number of `width` bits, which are fewer, as it is stored."""
    return x.clamp(-(1 << (width - 1)), (1 << (width - 1)) - 1).to(stored_bits(width))


def stored_bits(width: int) -> int:
    """Bits of the type that holds so many."""
    return 32 if width > 16 else width


def floor_log2(x: Number) -> Number:
    """Position of the highest set bit of x > 0 (i64), found by halving."""
    position = number(0, 64)
    for bits in (32, 16, 8, 4, 2, 1):
        skipped = x.is_at_least(1 << bits).choose(bits, number(0, 64))
        position, x = position + skipped, x >> skipped
    return position
