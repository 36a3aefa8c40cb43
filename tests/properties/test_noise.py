"""Noise from a seed: is it normal, and independent of its neighbours?"""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.noise import NOISE_BITS, normal_noise, random_bits

COUNT = 1 << 18


def real(seed: int, count: int = COUNT) -> torch.Tensor:
    return normal_noise(seed, count).double() / 2**NOISE_BITS


def test_moments() -> None:
    noise = real(1)
    deviation = COUNT**-0.5
    assert abs(float(noise.mean())) < 4 * deviation
    assert abs(float(noise.square().mean()) - 1) < 4 * 2**0.5 * deviation
    assert abs(float((noise**3).mean())) < 4 * 15**0.5 * deviation
    assert abs(float((noise**4).mean()) - 3) < 4 * 96**0.5 * deviation


def test_distribution() -> None:
    """Kolmogorov-Smirnov: the largest distance to the normal distribution, at its 0.1 % level."""
    noise = real(2).sort().values
    expected = torch.special.ndtr(noise)
    places = torch.arange(COUNT, dtype=torch.float64) / COUNT
    assert float((expected - places).abs().max()) < 1.95 * COUNT**-0.5


def test_tails_are_there() -> None:
    """4.33 is where they end; without them a picture's extremes would be missing."""
    noise = real(3, 1 << 21).abs()
    assert 4.0 < float(noise.max()) < 4.34
    beyond_three = float((noise > 3).double().mean())
    assert abs(beyond_three - 0.0027) < 0.0002


def test_neighbours_and_seeds_are_independent() -> None:
    limit = 5 * COUNT**-0.5
    for seed in (0, 1, 2, 3, 0xFFFFFFFF):
        one, next_seed = real(seed), real(seed + 1)
        assert abs(float((one * next_seed).mean())) < limit
        for lag in (1, 2, 16, 256):
            assert abs(float((one[lag:] * one[:-lag]).mean())) < limit


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_a_number_depends_on_seed_and_place_alone(seed: int, count: int) -> None:
    assert torch.equal(normal_noise(seed, count), normal_noise(seed, 64)[:count])
    assert torch.equal(normal_noise(seed, count), normal_noise(seed + 2**32, count))
    bits = random_bits(seed, count)
    assert int(bits.min()) >= 0
    assert int(bits.max()) < 2**32
