"""Noise from a seed, in integers: the same numbers in every backend, on any machine.

A drawing begins with normally distributed noise, and a microcontroller has no library to make it with. Number
i is a hash of the seed and i, so numbers can be made in any order; a table of the normal distribution's
quantiles turns its 32 random bits into one value.
"""

from __future__ import annotations

from statistics import NormalDist

import torch

from .fixed_point import floor_log2

NOISE_BITS = 12
"""Noise counts in 2^-12: int16 reaches 8 standard deviations."""
OCTAVES, PARTS = 16, 16
"""The share of the distribution's tails is tabulated for each halving down to 2^-16, in so many parts."""
STRIDE = 0x9E3779B9
"""2^32 divided by the golden ratio: consecutive numbers hash values that lie far apart."""

_ALL = 0xFFFFFFFF


def _quantile(entry: int) -> int:
    """What only a share p of all magnitudes exceeds, p = 2^(octave - 16) * (1 + part / 16)."""
    octave, part = divmod(entry, PARTS)
    share = 2.0 ** (octave - OCTAVES) * (1 + part / PARTS)
    return round((1 << NOISE_BITS) * -NormalDist().inv_cdf(share / 2))


QUANTILES = torch.tensor([_quantile(entry) for entry in range(OCTAVES * PARTS + 1)], dtype=torch.int16)
"""Magnitudes by the share of those above them, the rarest first, 257 numbers from 4.3 down to 0."""


def random_bits(seed: int, count: int) -> torch.Tensor:
    """int64 (count,) of 32 random bits each: `mix(mix(seed) + (i + 1) * STRIDE)`, all modulo 2^32."""
    places = torch.arange(1, count + 1, dtype=torch.int64)
    return _mix((_mix(torch.tensor(seed & _ALL)) + places * STRIDE) & _ALL)


def normal_noise(seed: int, count: int) -> torch.Tensor:
    """int16 (count,) of standard normal noise in Q12; seed: its lower 32 bits count.

    The highest bit is the sign. The others, r of 2^31, are the share of magnitudes above: its octave and the
    next 4 bits name a table entry, 8 further bits lie between it and the next. Shares below 2^-16 count as
    2^-16, so nothing lies beyond 4.33 standard deviations.
    """
    bits = random_bits(seed, count)
    share = (bits & 0x7FFFFFFF).clamp(min=1 << 15)
    octave = floor_log2(share)
    entry = (octave - 15) * PARTS + ((share >> (octave - 4)) & 15)
    between = (share >> (octave - 12)) & 255
    table = QUANTILES.to(torch.int64)
    magnitude = table[entry] - (((table[entry] - table[entry + 1]) * between + 128) >> 8)
    return torch.where(bits >> 31 == 1, -magnitude, magnitude).to(torch.int16)


def _mix(x: torch.Tensor) -> torch.Tensor:
    """A hash of 32 bits in which every bit depends on every other (MurmurHash3's last step). int64."""
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & _ALL
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & _ALL
    return x ^ (x >> 16)
