"""exp2, log2 and the reciprocal root against exact or 80-bit-safe real numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.lookup import (
    ACTIVATION_PIECES,
    EXP2,
    activation_table,
    exp2_negative,
    log2,
    normal_distribution,
    normal_distribution_by_tanh,
    reciprocal_root,
    sigmoid,
)

from .attention import EXP2_ERROR

LOG2_ERROR = 1.2
ROOT_ERROR = 2.0**-27


@given(st.integers(0, 31 * 65536))
def test_exp2_is_within_its_relative_error_and_one_step(z: int) -> None:
    found = exp2_negative(torch.tensor(z)).item()
    real = 2.0 ** (30 - z / 65536)
    assert abs(found - real) <= EXP2_ERROR * real + 1


def test_exp2_over_a_whole_octave() -> None:
    z = torch.arange(65537)
    real = torch.exp2(30 - z.double() / 65536)
    assert float(((exp2_negative(z) - real).abs() / real).max()) < EXP2_ERROR
    assert bool((exp2_negative(z).diff() <= 0).all()), "never rises"


def test_exp2_fits_32_bit_lanes() -> None:
    """What the C kernels rely on: factors of 16 bits but the last slope, and no product that overflows."""
    c0, c1, c2, c3, c4 = EXP2
    t = torch.arange(-(2**15), 2**15)
    slopes = [c3 - ((c4 * t) >> 16)]
    slopes.append(c2 - ((slopes[0] * t) >> 16))
    assert all(int(slope.abs().max()) < 2**15 for slope in slopes)
    last = c1 - ((slopes[1] * t) >> 16)
    assert int((last - 2**16).abs().max()) < 2**15
    assert int((c0 - last * t).min()) >= 2**32
    assert int((c0 - last * t).max()) < 2**33


@given(st.integers(0, 100))
def test_exp2_of_whole_octaves_is_exact(octaves: int) -> None:
    assert exp2_negative(torch.tensor(octaves << 16)).item() == 2**30 >> min(octaves, 31)


@given(st.integers(1, 2**62 - 1))
def test_log2_is_within_its_steps(v: int) -> None:
    assert abs(log2(torch.tensor(v)).item() - 65536 * math.log2(v)) < LOG2_ERROR


@given(st.integers(0, 61))
def test_log2_of_powers_of_two_is_exact(n: int) -> None:
    assert log2(torch.tensor(2**n)).item() == n << 16


def test_log2_never_falls() -> None:
    values = log2(torch.arange(1, 70000))
    assert bool((values.diff() >= 0).all())


@given(st.integers(1, 2**62 - 1))
def test_reciprocal_root_is_within_its_relative_error(v: int) -> None:
    root, half = (part.item() for part in reciprocal_root(torch.tensor(v)))
    assert 2**30 - 1 <= root <= 2**31
    assert -14 <= half <= 16
    # (root * 2^-45 * 2^-half)^2 * v is (1 + error)^2; exact, since float64 has no bits to spare here.
    squared = Fraction(root) ** 2 * v / Fraction(2) ** (2 * (45 + half))
    assert abs(squared - 1) <= 2 * ROOT_ERROR


def test_gates_are_parabolas_of_their_functions() -> None:
    t = torch.arange(-4096, 4096)
    for gate, reach in ((sigmoid, 16.0), (normal_distribution, 8.0), (normal_distribution_by_tanh, 8.0)):
        table = activation_table(gate, reach)
        assert table.shape == (3, ACTIVATION_PIECES)
        assert int(table.abs().max()) < 2**15
        for piece in range(ACTIVATION_PIECES):
            value, slope, curve = (float(part) for part in table[:, piece])
            found = value - t.double() * (slope - t.double() * curve / 2**15) / 2**15
            x = -(piece + (t.double() + 4096) / 8192) * reach / ACTIVATION_PIECES
            real = torch.tensor([65536 * gate(one) for one in x[::256].tolist()], dtype=torch.float64)
            assert float((found[::256] - real).abs().max()) < 1.3
        assert table[:, -1].tolist() == [0, 0, 0], "shut where the table ends"
        assert abs(gate(1.3) + gate(-1.3) - 1) < 1e-12, "the table holds one half, symmetry the other"


def test_the_normal_distribution_by_tanh_is_pytorchs() -> None:
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    for gate, form in ((normal_distribution, "none"), (normal_distribution_by_tanh, "tanh")):
        ours = torch.tensor([value * gate(value) for value in x.tolist()], dtype=torch.float64)
        assert torch.allclose(ours, torch.nn.functional.gelu(x, approximate=form), atol=1e-12)
