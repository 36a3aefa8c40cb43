"""From accumulators to 16 bits: per-column multipliers and biases."""

from __future__ import annotations

from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.ops.product import requantize_columns
from dgqc.ir.plans import Weight, ratios
from dgqc.passes.lowering.products import epilogue

from .eager import EagerBuilder
from .numbers import SEEDS, STEP, clamp, half_up, integers, reals

aten = torch.ops.aten
BOUNDS = st.integers(10, 36)
"""log2 of accumulators."""


@given(SEEDS, BOUNDS)
def test_one_rounding_of_an_exact_sum(seed: int, size: int) -> None:
    accumulator = integers(seed, -(2**size), 2**size, 4, 3)
    column = integers(seed + 1, 0, 2**31 - 1, 3, dtype=torch.int32)
    bias = integers(seed + 2, -(2**31) + 1, 2**31 - 1, 3, dtype=torch.int32)
    factor, shift, bias_factor, bias_shift = (
        integers(seed + 3 + place, low, high, 1, dtype=torch.int32)
        for place, (low, high) in enumerate(((1, 2 ** min(60 - size, 31) - 1), (1, 62), (0, 2**30), (1, 40)))
    )
    y = requantize_columns(accumulator, STEP, column, factor, shift, bias, bias_factor, bias_shift)
    for n in range(3):
        m = half_up(Fraction(column[n].item() * factor.item(), 2**31))
        b = half_up(Fraction(bias[n].item() * bias_factor.item(), 2 ** bias_shift.item()))
        for row in range(4):
            real = Fraction(accumulator[row, n].item() * m + b, 2 ** shift.item())
            assert y[row, n].item() == clamp(half_up(real), -32768, 32767)


@given(SEEDS, BOUNDS, st.floats(0.01, 30))
def test_the_constants_of_lowering_give_the_real_result_within_a_step(
    seed: int, size: int, loudest: float
) -> None:
    """accumulator * base * weight scale + bias, in output steps, whatever the weights' scales.

    bound: on accumulators, up to 16 times what they reach, as a bound from constants is.
    """
    bound = 2 ** (size + 4)
    accumulator = integers(seed, -(2**size), 2**size, 6, 5)
    weight = Weight(
        8, torch.zeros(5, 1, dtype=torch.int8), torch.exp2(3 * reals(seed + 1, 5).clamp(-2, 2)) / 99
    )
    bias = reals(seed + 2, 5) * (0 if seed % 5 == 0 else loudest)
    base = torch.exp2(reals(seed + 3, 1) * 4)
    real = accumulator.double() * base * weight.scale
    scale = ((real + bias).abs().amax() * 2 / 32767).reshape(1)
    builder = EagerBuilder()
    offset = None if seed % 5 == 0 else bias
    node = builder.op(aten.linear.default, (), (6, 5), float(scale))
    constants = epilogue(builder, node, weight, offset, base, bound)
    y = requantize_columns(accumulator, STEP, *constants)  # type: ignore[arg-type]
    wanted = (real + (bias if offset is not None else 0)) / scale
    assert bool((wanted.abs() > 100).any())
    # m is off by half a unit and the factor by 2^-bits of its value: both small beside the largest output.
    assert float((y.double() - wanted).abs().max()) <= 0.5 + 2.0**-5


@given(SEEDS, BOUNDS)
def test_columns_with_scales_of_their_own_are_real_within_a_step(seed: int, size: int) -> None:
    """Weights' scales a million times apart, and outputs' with them."""
    accumulator = integers(seed, -(2**size), 2**size, 6, 5)
    exponent = integers(seed + 1, 0, 80, 5)
    weight = Weight(8, torch.zeros(5, 1, dtype=torch.int8), ratios(exponent) / 99)
    bias = reals(seed + 2, 5) * ratios(exponent)
    real = accumulator.double() * weight.scale + bias
    scale = (real / ratios(exponent)).abs().amax() * 2 / 32767
    builder = EagerBuilder()
    node = builder.op(aten.linear.default, (), (6, 5), float(scale), exponent)
    constants = epilogue(builder, node, weight, bias, torch.ones(1, dtype=torch.float64), 2 ** (size + 4))
    y = requantize_columns(accumulator, STEP, *constants)  # type: ignore[arg-type]
    assert float((y.double() - real / scale / ratios(exponent)).abs().max()) <= 0.5 + 2.0**-5


def test_a_column_of_zeros_gives_its_bias() -> None:
    weight = Weight(8, torch.zeros(2, 1, dtype=torch.int8), torch.tensor([1e-14, 0.1], dtype=torch.float64))
    ones = torch.ones(1, dtype=torch.float64)
    bias = torch.tensor([100.0, -7.0])
    builder = EagerBuilder()
    node = builder.op(aten.linear.default, (), (2, 2))
    constants = epilogue(builder, node, weight, bias, ones, 2**20)
    y = requantize_columns(torch.tensor([[0, 0], [9, 10]]), STEP, *constants)  # type: ignore[arg-type]
    assert y.tolist() == [[100, -7], [100, -6]]
