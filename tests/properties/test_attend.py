"""Quantized probabilities times quantized values against real numbers (DGQ eq. 9)."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.plans import Dimension, QuantizedOperand, Role
from dgqc.ir.plans import Operand as OperandPlan
from dgqc.passes.lowering.attention import attend, probability_table
from dgqc.passes.lowering.layout import Layout
from dgqc.passes.lowering.values import OperandCodes, ProbabilityCodes, Scaled

from .attention import logits, plan, probabilities, scale_of, softmax
from .eager import EagerBuilder
from .numbers import SEEDS, STEP, integers, reals
from .products import Operand, operand

dgqc = torch.ops.dgqc
KEYS = st.integers(2, 70)
CODINGS = pytest.mark.parametrize("coding", ["log2", "uniform"])


def values_of(builder: EagerBuilder, value: Operand, base: float) -> object:
    """The values' old node: quantized codes with the plan they come from."""
    decided = QuantizedOperand(
        OperandPlan(Role.RIGHT, 8, False),
        Dimension.PIXEL,
        value.group.to(torch.int64),
        torch.tensor([base], dtype=torch.float64),
        value.multiple.to(torch.int64),
        value.zero.to(torch.int64),
    )
    codes = OperandCodes(value.codes, Layout.plain(value.codes.shape), decided, *value.tables)  # type: ignore[arg-type]
    return builder.input(codes, *value.codes.shape)


def mixed(
    builder: EagerBuilder, shares: ProbabilityCodes, value: Operand, base: float, scale: float
) -> torch.Tensor:
    node = builder.op(dgqc.attend.default, (), (1, 5, value.codes.shape[-1]), scale)
    result = attend(builder, node, shares, values_of(builder, value, base))  # type: ignore[arg-type]
    assert isinstance(result, Scaled)
    assert isinstance(result.node, torch.Tensor)
    return result.node


def reconstructed(shares: ProbabilityCodes) -> torch.Tensor:
    """The probabilities that codes, scale and first key stand for, float64 (1, M, keys)."""
    table, fraction = probability_table(shares.plan)
    codes: torch.Tensor = shares.codes  # type: ignore[assignment]
    rest = table.double()[codes.to(torch.int64)] * 2.0**-fraction * scale_of(shares)
    if not shares.start:
        return rest
    first: torch.Tensor = shares.first  # type: ignore[assignment]
    return torch.cat([first.double() * 2.0**-15, rest], dim=-1)


@CODINGS
@given(SEEDS, st.floats(0.01, 8), KEYS, st.integers(2, 8), st.booleans(), st.sampled_from([1, 2]))
def test_the_mix_of_what_codes_stand_for(
    coding: str, seed: int, spread: float, keys: int, bits: int, start: bool, axis: int
) -> None:
    """Three roundings of the mix, each of 2^-15 of a value step, and one of the output."""
    builder, base = EagerBuilder(), 0.003
    shares = softmax(builder, logits(seed, spread, 1, 5, keys), plan(bits, coding, "row"), start)
    value = operand(seed, axis, 1, keys, 4)
    real = reconstructed(shares) @ torch.tensor(value.values.tolist()).double() * base
    scale = float(real.abs().max().clamp(min=base)) * 2 / 32767
    y = mixed(builder, shares, value, base, scale)
    mix_unit = base / 2**15 / scale
    assert float((y.double() - real / scale).abs().max()) <= 0.5 + 1.5 * mix_unit + 2.0**-8


@pytest.mark.parametrize("granularity", ["row", "tensor", None])
@CODINGS
@given(seed=SEEDS, spread=st.floats(0.01, 8), keys=KEYS, start=st.booleans())
def test_quantized_shares_lie_within_half_a_code_of_the_probabilities(
    granularity: str | None, coding: str, seed: int, spread: float, keys: int, start: bool
) -> None:
    if coding == "log2" and granularity is None:
        return  # DGQ has no static scale
    scores, bits = logits(seed, spread, 1, 5, keys), 8
    real = probabilities(scores)[..., int(start) :]
    step = float(real.max()) / 255 if granularity is None else None
    shares = softmax(EagerBuilder(), scores, plan(bits, coding, granularity, step), start)
    found = reconstructed(shares)[..., int(start) :]
    s = scale_of(shares)
    if coding == "uniform":
        assert bool(((found - real).abs() <= s * 0.51 + 255 * s * 2.0**-13).all())
        return
    # Powers of two down to 2^-23 of s; what lies below counts as 0.
    kept = real >= s * 2.0**-22.4
    ratio = (found / real)[kept]
    assert bool(((ratio <= 2**0.5 * 1.0002) & (ratio >= 2**-0.5 * 0.9998)).all())
    assert bool((found <= s * 2.0**-22)[~kept].all())


@given(SEEDS, st.integers(2, 9))
def test_attend_on_exact_fractions(seed: int, keys: int) -> None:
    value = operand(seed, 2, 1, keys, 3)
    codes = integers(seed + 4, 0, 15, 1, 2, keys, dtype=torch.uint8)
    mantissa = integers(seed + 5, 2**14, 2**15, 1, 2, 1, dtype=torch.int32)
    exponent = integers(seed + 6, 0, 6, 1, 2, 1, dtype=torch.int32)
    weights = torch.tensor([2 ** (15 - code) for code in range(16)], dtype=torch.int32)
    factor, shift = torch.tensor([2**20], dtype=torch.int32), torch.tensor([34], dtype=torch.int32)
    none = torch.zeros(1, 2, 1, dtype=torch.int32)
    y = dgqc.attend(
        codes, mantissa, exponent, none, False, weights, 15, value.codes, STEP, *value.tables, factor, shift
    )
    for m in range(2):
        s = Fraction(mantissa[0, m, 0].item(), 2 ** (15 + exponent[0, m, 0].item()))
        for d in range(3):
            total = sum(2 ** (15 - codes[0, m, k].item()) * value.values[0, k, d] for k in range(keys))
            real = Fraction(total) * s / 2**14
            assert abs(y[0, m, d].item() - max(min(real, 32767), -32768)) <= Fraction(1, 2) + Fraction(
                1, 2**15
            )


@given(SEEDS, KEYS)
def test_the_start_tokens_value_is_weighted_in_full(seed: int, keys: int) -> None:
    """With all probability on the first key, the output is its value row."""
    builder = EagerBuilder()
    scores = logits(seed, 1, 1, 5, keys)
    scores[..., 0] += 60 * 65536
    value = operand(seed, 2, 1, keys, 4)
    y = mixed(builder, softmax(builder, scores, plan(4, "log2", "row"), True), value, 1.0, 1.0)
    assert y[0].tolist() == [list(value.values[0, 0])] * 5


def test_a_flat_row_over_many_keys_stays_exact() -> None:
    builder, keys = EagerBuilder(), 4096
    scores = torch.zeros(1, 1, keys, dtype=torch.int32)
    value = operand(3, 2, 1, keys, 4)
    shares = softmax(builder, scores, plan(8, "log2", "row"), False)
    mean = torch.tensor(value.values.tolist()).double().mean(dim=1)
    scale = float(mean.abs().max()) / 20000
    y = mixed(builder, shares, value, 1.0, scale)
    assert float((y[:, 0].double() - mean / scale).abs().max()) <= 0.51


def test_values_are_read_as_16_bits_too() -> None:
    builder = EagerBuilder()
    shares = softmax(builder, logits(1, 2, 1, 5, 6), plan(8, "uniform", "row"), False)
    x = (reals(2, 1, 6, 3) * 9000).round().clamp(-32768, 32767).to(torch.int16)
    whole = Operand(
        x,
        torch.zeros(1, 1, dtype=torch.int32),
        torch.ones(1, 1, dtype=torch.int32),
        torch.zeros(3, dtype=torch.uint8),
        2,
    )
    y = mixed(builder, shares, whole, 1.0, 1.0)
    assert float((y.double() - reconstructed(shares) @ x.double()).abs().max()) <= 0.51
