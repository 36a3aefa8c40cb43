"""Codes of attention probabilities against the real-number formulas (DGQ eq. 8)."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from .attention import (
    EXP2_ERROR,
    OCTAVE,
    ROW_ERROR,
    distance_to_tie,
    largest,
    logits,
    plan,
    probabilities,
    scale_of,
    softmax,
)
from .eager import EagerBuilder
from .numbers import SEEDS

dgqc = torch.ops.dgqc
SPREADS = st.floats(0.01, 12)
KEYS = st.integers(2, 90)
STARTS = st.booleans()
GRANULARITIES = pytest.mark.parametrize("granularity", ["row", "tensor"])
SCALE_ERROR = 2.0**-15 + EXP2_ERROR + ROW_ERROR / OCTAVE * math.log(2)
"""Relative, of s: a mantissa of 15 bits, its exponential and the octaves it is made from."""


@GRANULARITIES
@given(SEEDS, SPREADS, KEYS, st.integers(2, 8), STARTS)
def test_log2_codes_are_the_formula_but_near_ties(
    granularity: str, seed: int, spread: float, keys: int, bits: int, start: bool
) -> None:
    scores = logits(seed, spread, 2, 5, keys)
    codes, *_ = dgqc.softmax_log2(scores, min(2**bits - 1, 31), granularity, start)
    shares = probabilities(scores)[..., int(start) :]
    real = -torch.log2(shares / largest(shares, granularity))
    wanted = torch.floor(real + 0.5).clamp(0, min(2**bits - 1, 31))
    # Within a row the normalization cancels and only float64's own error is left.
    error = 1e-9 if granularity == "row" else 2 * ROW_ERROR / OCTAVE
    differ = codes.double() != wanted
    assert bool(((codes.double() - wanted).abs() <= 1).all())
    assert bool((distance_to_tie(real) <= error)[differ].all())


@given(SEEDS, KEYS)
def test_within_a_row_log2_codes_are_exact(seed: int, keys: int) -> None:
    """Ties go up, as everywhere: a logit 1/2, 3/2, ... octaves below the largest takes the later code."""
    scores = logits(seed, 3, 4, keys)
    scores[:, -1] = scores[:, :-1].amax(dim=-1) - OCTAVE // 2
    codes, *_ = dgqc.softmax_log2(scores, 15, "row", False)
    below = scores.amax(dim=-1, keepdim=True).to(torch.int64) - scores
    assert torch.equal(codes.to(torch.int64), ((2 * below + OCTAVE) // (2 * OCTAVE)).clamp(max=15))
    assert codes[:, -1].tolist() == [1] * 4


@GRANULARITIES
@given(SEEDS, SPREADS, KEYS, st.integers(2, 8), STARTS)
def test_uniform_codes_are_the_formula_but_near_ties(
    granularity: str, seed: int, spread: float, keys: int, bits: int, start: bool
) -> None:
    scores = logits(seed, spread, 2, 5, keys)
    shares = softmax(EagerBuilder(), scores, plan(bits, "uniform", granularity), start)
    codes: torch.Tensor = shares.codes  # type: ignore[assignment]
    quantized = probabilities(scores)[..., int(start) :]
    real = quantized / largest(quantized, granularity) * (2**bits - 1)
    wanted = torch.floor(real + 0.5)
    octaves = 0 if granularity == "row" else 2 * ROW_ERROR / OCTAVE * math.log(2)
    error = real * (EXP2_ERROR + octaves) + (2**bits - 1) * 2.0**-30
    differ = codes.double() != wanted
    assert bool((distance_to_tie(real) <= error)[differ].all())
    assert bool(((codes.double() - wanted).abs() <= 1).all())


@given(SEEDS, SPREADS, KEYS, st.integers(2, 8), STARTS, st.floats(0.001, 1))
def test_static_codes_are_the_formula_but_near_ties(
    seed: int, spread: float, keys: int, bits: int, start: bool, high: float
) -> None:
    scores = logits(seed, spread, 2, 5, keys)
    step = high / (2**bits - 1)
    shares = softmax(EagerBuilder(), scores, plan(bits, "uniform", None, step), start)
    codes: torch.Tensor = shares.codes  # type: ignore[assignment]
    real = probabilities(scores)[..., int(start) :] / step
    wanted = torch.floor(real + 0.5).clamp(max=2**bits - 1)
    error = real * (EXP2_ERROR + ROW_ERROR / OCTAVE * math.log(2)) + 2.0**-30 / step
    differ = codes.double() != wanted
    assert bool((distance_to_tie(real) <= error)[differ].all())
    assert bool((scale_of(shares) / step - 1).abs().max() <= 2.0**-15)
    assert shares.mantissa.shape == (2, 5, 1)  # type: ignore[attr-defined]


@GRANULARITIES
@given(SEEDS, SPREADS, KEYS, STARTS)
def test_the_scale_is_the_largest_probability_but_the_first_keys(
    granularity: str, seed: int, spread: float, keys: int, start: bool
) -> None:
    scores = logits(seed, spread, 2, 5, keys)
    shares = softmax(EagerBuilder(), scores, plan(4, "log2", granularity), start)
    wanted = largest(probabilities(scores)[..., int(start) :], granularity).expand(2, 5, 1)
    seen = wanted > 2.0**-40
    found = scale_of(shares)
    assert found.shape == (2, 5, 1)
    assert bool(((found / wanted - 1).abs() <= SCALE_ERROR)[seen].all())
    assert bool((found[~seen] <= 2.0**-39).all())


@given(SEEDS, SPREADS, KEYS, STARTS)
def test_the_first_keys_probability_has_15_bits(seed: int, spread: float, keys: int, start: bool) -> None:
    scores = logits(seed, spread, 2, 5, keys)
    *_, first = dgqc.softmax_log2(scores, 15, "row", start)
    wanted = probabilities(scores)[..., :1] * 2**15 if start else torch.zeros(2, 5, 1)
    assert bool(((first - wanted).abs() <= 0.5 + 2.0**15 * SCALE_ERROR).all())
    assert bool((first <= 2**15).all())


@given(SEEDS, STARTS)
def test_tensor_scale_takes_in_every_head_and_query(seed: int, start: bool) -> None:
    """Otherwise a row's codes would not depend on the other rows."""
    flat, peaked = logits(seed, 0.5, 1, 1, 40), logits(seed, 0.5, 1, 1, 40)
    peaked[..., 7] += 9 * OCTAVE
    alone, *_ = dgqc.softmax_log2(flat, 31, "tensor", start)
    together, *_ = dgqc.softmax_log2(torch.cat([flat, peaked]), 31, "tensor", start)
    assert alone.amin().item() == 0
    assert together[0].amin().item() >= 2
    assert together[1].amin().item() == 0


def test_a_start_token_that_takes_everything_leaves_the_others_well_defined() -> None:
    scores = torch.tensor([[200 * OCTAVE, 0, -OCTAVE]], dtype=torch.int32)
    codes, mantissa, exponent, first = dgqc.softmax_log2(scores, 15, "row", True)
    assert codes.tolist() == [[0, 1]]
    assert first.item() == 2**15
    assert (mantissa.item(), exponent.item()) == (2**15, 40)
