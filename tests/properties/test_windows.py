"""Depthwise convolutions, maxima and taken indices as lowering emits them, against float64."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dgqc.ir.ops.depthwise import depthwise_conv2d
from dgqc.ir.ops.take import take
from dgqc.passes.lowering.views import lower_index_select
from dgqc.passes.lowering.windows import lower_depthwise, lower_max_pool

from .eager import EagerBuilder, found
from .numbers import SEEDS, STEP, integers, reals

aten = torch.ops.aten


@given(SEEDS, st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.floats(1e-5, 1))
def test_a_depthwise_convolution_is_real_within_its_weights(
    seed: int, each: int, stride: int, dilation: int, scale: float
) -> None:
    builder = EagerBuilder()
    x = integers(seed, -32768, 32767, 1, 4, 9, 8, dtype=torch.int16)
    weight, bias = reals(seed + 1, 4 * each, 1, 3, 3), reals(seed + 2, 4 * each) * scale * 1000
    places = ([stride] * 2, [1, 1], [dilation] * 2)
    real = F.conv2d(x.double() * scale, weight, bias, *places, groups=4)
    output_scale = float(real.abs().max()) * 1.5 / 32767
    constants = (builder.float_constant(weight), builder.float_constant(bias))
    args = (builder.scaled_input(x, scale), *constants, *places, False, [0, 0], 4)
    node = builder.op(aten.convolution.default, args, tuple(real.shape), output_scale)
    y = found(builder, lower_depthwise(builder, node))
    # Weights are off by half of 1/32767 of the largest, at nine taps of the largest values.
    allowed = 0.51 + 9 * 32768 * scale * float(weight.abs().max()) / 65534 / output_scale
    assert float((y.double() - real / output_scale).abs().max()) < allowed


def test_the_largest_sums_of_a_depthwise_convolution_are_exact() -> None:
    x = torch.full((1, 7, 7, 1), -32768, dtype=torch.int16)
    taps = torch.full((7, 7, 1), -32768, dtype=torch.int16)
    one, zero = torch.tensor([1], dtype=torch.int32), torch.tensor([0], dtype=torch.int32)
    column, factor = torch.tensor([2**30], dtype=torch.int32), torch.tensor([2**10], dtype=torch.int32)
    tables = (column, factor, torch.tensor([31], dtype=torch.int32), zero, zero, one)
    y = depthwise_conv2d(x, STEP, taps, *tables, [1, 1], [0, 0], [1, 1])
    assert y.tolist() == [[[[49 * 2**30 * 2**9 >> 31 if 49 * 2**8 < 32768 else 32767]]]]


@given(SEEDS, st.integers(1, 3), st.integers(1, 2), st.booleans())
def test_maxima_are_those_of_real_numbers(seed: int, kernel: int, stride: int, padded: bool) -> None:
    builder = EagerBuilder()
    x = integers(seed, -32768, 32767, 1, 3, 6, 7, dtype=torch.int16)
    window = ([kernel, kernel], [stride, stride], [int(padded and kernel > 1)] * 2)
    real = F.max_pool2d(x.double(), *window)
    node = builder.op(aten.max_pool2d.default, (builder.scaled_input(x, 1.0), *window), tuple(real.shape))
    assert torch.equal(found(builder, lower_max_pool(builder, node)).double(), real)


@given(SEEDS, st.integers(0, 3), st.integers(1, 9))
def test_taken_indices_are_those_of_the_captured_axis(seed: int, axis: int, count: int) -> None:
    builder = EagerBuilder()
    x = integers(seed, -32768, 32767, 1, 3, 4, 5, dtype=torch.int16)
    index = integers(seed + 1, 0, x.shape[axis] - 1, count)
    wanted = x.index_select(axis, index)
    args = (builder.scaled_input(x, 1.0), axis, builder.float_constant(index))
    node = builder.op(aten.index_select.default, args, tuple(wanted.shape))
    assert torch.equal(found(builder, lower_index_select(builder, node)), wanted)
    assert torch.equal(take(x, index.to(torch.int32), axis), wanted)
