"""Fixed-point arithmetic: the one rounding rule, and real numbers as multiplier and shift.

Every integer op rounds as `(x * m + 2^(s-1)) >> s` with an arithmetic (floor) shift, in a width that
provably holds it. Nothing else in the project rounds integers.
"""

from __future__ import annotations

import math

import torch

INT16_MAX = 32767
"""Activation16 values saturate at +-32767 and -32768."""
ACCUMULATOR_LIMIT = 2**62
"""No product before a shift may reach this: one bit is left for the sum of two."""


def round_shift(x: torch.Tensor, shift: torch.Tensor | int) -> torch.Tensor:
    """`(x + 2^(shift-1)) >> shift`: x / 2^shift rounded to the nearest integer, ties up.

    x: int64, |x| < 2^62. shift: 1 .. 62, broadcast against x. Returns int64.
    """
    shift = torch.as_tensor(shift, dtype=torch.int64)
    return (x + (torch.ones_like(shift) << (shift - 1))) >> shift


def shift_either_way(x: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """`round_shift` where shift >= 1, a left shift by -shift where it is 0 or less. int64.

    A shift beyond 62 gives what 62 gives: 0 for every |x| < 2^61.
    """
    right = round_shift(x, shift.clamp(1, 62))
    return torch.where(shift >= 1, right, x << (-shift).clamp(min=0))


def saturate16(x: torch.Tensor) -> torch.Tensor:
    """Clamp to int16."""
    return x.clamp(-32768, INT16_MAX).to(torch.int16)


def saturate32(x: torch.Tensor) -> torch.Tensor:
    """Clamp to int32."""
    return x.clamp(-(2**31), 2**31 - 1).to(torch.int32)


def floor_log2(x: torch.Tensor) -> torch.Tensor:
    """Position of the highest set bit of x > 0 (int64): the largest n with 2^n <= x."""
    powers = torch.ones(62, dtype=torch.int64) << torch.arange(1, 63)
    return torch.bucketize(x, powers, right=True)


def multiplier(real: torch.Tensor, bits: int = 31, most: int = 62) -> tuple[torch.Tensor, torch.Tensor]:
    """Mantissa and shift with `real ~ mantissa * 2^-shift`, as precise as `bits` allow.

    real: float64, >= 0. bits: 2 .. 31. most: the largest shift allowed.
    Returns int32 mantissas in [2^(bits-1), 2^bits), less only where the shift reaches its end, and int32
    shifts in 1 .. most. Relative error at most 2^-bits up to 2^(bits-1); whatever is larger gives the largest
    there is. It multiplies integers, all of which but 0 saturate 16 bits then, as they would by more.
    Raises OverflowError for a number that is not finite.
    """
    if not bool(torch.isfinite(real).all()):
        raise OverflowError("a scale is not finite")
    _, exponent = torch.frexp(real.clamp(min=1e-300))
    shift = (bits - exponent).clamp(1, most).to(torch.int64)
    mantissa = torch.round(torch.ldexp(real, shift.to(torch.float64)))
    # Rounding up can carry into the next power of two.
    carried = mantissa >= 2**bits
    mantissa = torch.where(carried & (shift > 1), torch.ldexp(mantissa, torch.tensor(-1.0)), mantissa)
    shift = torch.where(carried & (shift > 1), shift - 1, shift)
    mantissa = torch.floor(mantissa).clamp(max=2**bits - 1)
    return mantissa.to(torch.int32), shift.to(torch.int32)


def shared_shift_multipliers(
    reals: list[torch.Tensor], bits: int = 30
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Mantissas of several multipliers that share one shift per call: for sums of differently scaled values.

    reals: float64 (T,) each, >= 0. Returns int32 mantissas below 2^bits and an int32 shift (T,).
    """
    largest = torch.stack(reals).amax(dim=0)
    _, shift = multiplier(largest, bits)
    scaled = [torch.round(torch.ldexp(real, shift.to(torch.float64))) for real in reals]
    return [one.clamp(max=2**bits - 1).to(torch.int32) for one in scaled], shift


def normalized(values: torch.Tensor) -> tuple[torch.Tensor, float]:
    """A vector of reals as int32 mantissas of its largest magnitude: value = mantissa * unit.

    values: float64 (n,). Returns int32 (n,) with |mantissa| <= 2^31 - 1, and the unit (0 if all are).
    """
    largest = float(values.abs().max()) if values.numel() else 0.0
    if largest == 0:
        return torch.zeros(values.shape, dtype=torch.int32), 0.0
    unit = largest / (2**31 - 1)
    return torch.round(values / unit).clamp(-(2**31 - 1), 2**31 - 1).to(torch.int32), unit


def bits_for(bound: int) -> int:
    """How many bits a multiplier may have so that `bound * multiplier` stays below ACCUMULATOR_LIMIT / 2."""
    return max(2, min(31, 61 - math.ceil(math.log2(max(bound, 1) + 1))))
