"""What exponents of channels stand for."""

from __future__ import annotations

import torch

from dgqc.ir.plans import PER_OCTAVE, ratios


def test_equal_exponents_stand_for_equal_numbers() -> None:
    """To the last bit, wherever they stand: a norm's group with two scales would come to one for all."""
    for exponent in range(-9, 10):
        found = ratios(torch.full((40,), exponent))
        assert len(found.unique()) == 1
        assert bool((found == ratios(torch.tensor(exponent))).all())


def test_they_are_powers_of_two() -> None:
    exponents = torch.arange(-600, 601)
    wanted = torch.tensor([2.0 ** (int(one) / PER_OCTAVE) for one in exponents], dtype=torch.float64)
    torch.testing.assert_close(ratios(exponents), wanted, rtol=1e-15, atol=0)
    whole = exponents[exponents % PER_OCTAVE == 0]
    assert torch.equal(ratios(whole), torch.exp2((whole // PER_OCTAVE).double()))
