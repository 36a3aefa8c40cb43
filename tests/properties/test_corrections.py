"""Corrections: what fits say of lines, and what lowering emits against float64."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.plans import Correction
from dgqc.passes.correction.correct_input import moved
from dgqc.passes.correction.correct_output import FITS, ErrorModel, affine, timestep_aware
from dgqc.passes.correction.correct_schedule import least_squares
from dgqc.passes.lowering.corrections import corrected
from dgqc.passes.lowering.layout import channels_last

from .eager import EagerBuilder, found
from .numbers import SEEDS, integers, reals

LINES = st.tuples(SEEDS, st.floats(0.25, 4), st.floats(-3, 3))


@given(LINES)
def test_a_line_is_undone(line: tuple[int, float, float]) -> None:
    """Without any other error affine and ptqd give what was wanted, whatever factor and offset there were."""
    seed, factor, offset = line
    wanted = reals(seed, 3, 40)
    shifted = factor * wanted + offset
    for method in (ErrorModel.AFFINE, ErrorModel.PTQD):
        fit = FITS[method](wanted, shifted)
        assert torch.allclose(fit(shifted.T), wanted.T, atol=1e-9)
    assert torch.allclose(timestep_aware(wanted, wanted).factor, torch.ones(3, dtype=torch.float64))


@given(SEEDS, st.floats(0, 2))
def test_least_squares_never_add_to_the_error(seed: int, loud: float) -> None:
    wanted = reals(seed, 2, 50)
    noisy = 1.1 * wanted + loud * reals(seed + 1, 2, 50) - 0.2
    error = [(wanted - one).square().mean() for one in (noisy, affine(wanted, noisy)(noisy.T).T)]
    assert error[1] <= error[0] + 1e-12


@given(LINES)
def test_timestep_aware_factors_lie_between_staying_and_undoing(line: tuple[int, float, float]) -> None:
    seed, factor, _ = line
    wanted = reals(seed, 2, 60)
    found = timestep_aware(wanted, factor * wanted).factor
    low, high = sorted((1.0, 1 / factor))
    assert bool(((found >= low - 1e-9) & (found <= high + 1e-9)).all())


@given(SEEDS, st.floats(0.5, 2), st.floats(0.5, 2))
def test_two_factors_of_a_schedule_are_found(seed: int, a: float, b: float) -> None:
    """To within what holds them at 1, whatever the size of the parts; that of nothing stays 1."""
    state, answer = 100 * reals(seed, 2, 60), 0.01 * reals(seed + 1, 2, 60)
    found = least_squares(a * state + b * answer, state, answer)
    assert abs(found[0] - a) < 1e-3
    assert least_squares(a * state, state, 0 * answer)[1] == 1
    assert least_squares(b * answer, 0 * state, answer)[0] == 1
    alone = least_squares(state + b * answer, 0 * state, answer)
    assert alone[0] == 1


@given(SEEDS, st.floats(0, 2))
def test_factors_of_a_schedule_never_add_to_the_error(seed: int, loud: float) -> None:
    state, answer = reals(seed, 2, 60), reals(seed + 1, 2, 60)
    wanted = 0.9 * state - 1.2 * answer + loud * reals(seed + 2, 2, 60)
    a, b = least_squares(wanted, state, answer)
    error = [(wanted - p * state - q * answer).square().sum() for p, q in ((1, 1), (a, b))]
    assert error[1] <= error[0] + 1e-9


@given(SEEDS)
def test_constant_values_and_means(seed: int) -> None:
    """A channel that never changes has no slope: it is moved alone."""
    wanted = reals(seed, 2, 30)
    fit = affine(wanted, torch.full((2, 30), 0.5, dtype=torch.float64))
    assert torch.equal(fit.factor, torch.ones(2, dtype=torch.float64))
    assert torch.allclose(fit.offset, wanted.mean(dim=1) - 0.5)
    assert torch.allclose(moved(wanted, wanted + 2).offset, torch.full((2,), -2.0, dtype=torch.float64))


@given(SEEDS, st.floats(0.01, 100), st.booleans(), st.booleans(), st.booleans())
def test_integers_are_the_line_within_two_steps(
    seed: int, loud: float, scaled: bool, shifted: bool, last: bool
) -> None:
    """loud: of offsets beside the value. last: whether channels are stored last, as images are."""
    builder = EagerBuilder()
    codes = integers(seed, -32768, 32767, 1, 3, 4, 5, dtype=torch.int16)
    source = builder.scaled_input(codes, 0.25)
    if last:
        order = channels_last(4)
        builder.values[source] = builder.arranged(builder.scaled(source), order, source)
    factor = 1 + reals(seed + 1, 1, 3) if scaled else torch.ones(1, 3, dtype=torch.float64)
    offset = loud * 1000 * reals(seed + 2, 1, 3) if shifted else torch.zeros(1, 3, dtype=torch.float64)
    site = builder.op(torch.ops.dgqc.site.default, (source, "output.correction"), tuple(codes.shape))
    value = corrected(builder, Correction(factor, offset), site)
    wanted = codes.double() * 0.25 * factor[0][:, None, None] + offset[0][:, None, None]
    assert float(((found(builder, value) * value.scale - wanted).abs() / value.scale).max()) <= 2.5
    assert (value.scale == 0.25) == (not (scaled or shifted))
