"""Sums, products, rescaling and resampling of 16-bit values: exact integers, and close to the real values."""

from __future__ import annotations

from fractions import Fraction

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from dgqc.passes.lowering.elementwise import lower_add, lower_cat, lower_mul
from dgqc.passes.lowering.values import Scaled

from .eager import EagerBuilder, found
from .numbers import SEEDS, STEP, clamp, half_up, integers

aten, dgqc = torch.ops.aten, torch.ops.dgqc
SCALES = st.floats(1e-6, 1e-2)
INT16 = st.integers(-32768, 32767)


def i16(*values: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int16)


def i32(value: int) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.int32)


@given(INT16, INT16, st.integers(-(2**30), 2**30), st.integers(0, 2**30), st.integers(1, 62))
def test_add_and_rescale_round_once(a: int, b: int, p: int, q: int, shift: int) -> None:
    y = dgqc.add(i16(a), i16(b), STEP, i32(p), i32(q), i32(shift)).item()
    assert y == clamp(half_up(Fraction(a * p + b * q, 2**shift)), -32768, 32767)
    y = dgqc.rescale(i16(a), STEP, i32(q), i32(shift)).item()
    assert y == clamp(half_up(Fraction(a * q, 2**shift)), -32768, 32767)


@given(INT16, INT16, st.integers(0, 2**31 - 1), st.integers(1, 62))
def test_mul_rounds_once(a: int, b: int, factor: int, shift: int) -> None:
    y = dgqc.mul(i16(a), i16(b), STEP, i32(factor), i32(shift)).item()
    assert y == clamp(half_up(Fraction(a * b * factor, 2**shift)), -32768, 32767)


@given(SEEDS, SCALES, SCALES)
def test_sums_products_and_parts_of_different_scales_are_real_within_half_a_step(
    seed: int, left: float, right: float
) -> None:
    builder = EagerBuilder()
    x, y = (integers(seed + i, -32768, 32767, 1, 50, dtype=torch.int16) for i in range(2))
    a, b = builder.scaled_input(x, left), builder.scaled_input(y, right)
    p, q = x.double() * left, y.double() * right
    for target, args, rule, wanted in (
        (aten.add.Tensor, (a, b), lower_add, p + q),
        (aten.add.Tensor, (a, -2.5), lower_add, p - 2.5),
        (aten.mul.Tensor, (a, b), lower_mul, p * q),
        (aten.mul.Tensor, (a, -0.3), lower_mul, p * -0.3),
        (aten.cat.default, ([a, b], 1), lower_cat, torch.cat([p, q], 1)),
    ):
        scale = float(wanted.abs().max()) * 2 / 32767
        node = builder.op(target, args, tuple(wanted.shape), scale)
        result = found(builder, rule(builder, node))
        assert float((result.double() - wanted / scale).abs().max()) <= 0.5 + 2.0**-10


def test_a_positive_number_only_changes_the_scale() -> None:
    builder = EagerBuilder()
    x = i16(5, -7).reshape(1, 2)
    value = lower_mul(builder, builder.op(aten.mul.Tensor, (builder.scaled_input(x, 0.5), 3.0), (1, 2)))
    assert isinstance(value, Scaled)
    assert value.node is x
    assert value.scale.item() == 1.5


def test_operands_broadcast() -> None:
    a, b = integers(1, -99, 99, 1, 2, 2, 3, dtype=torch.int16), i16(10, 20, 30).reshape(1, 1, 1, 3)
    y = dgqc.add(a, b, STEP, i32(2**10), i32(2**10), i32(10))
    assert torch.equal(y, a + b)
    assert torch.equal(dgqc.mul(a, b, STEP, i32(2**10), i32(10)), a * b)


@given(SEEDS, st.integers(1, 3), st.integers(1, 3), st.integers(0, 4), st.integers(0, 4))
def test_avg_pool_is_the_mean_with_ties_up(
    seed: int, kernel: int, stride: int, more_rows: int, more_columns: int
) -> None:
    x = integers(seed, -32768, 32767, 1, kernel + more_rows, kernel + more_columns, 2, dtype=torch.int16)
    y = dgqc.avg_pool2d(x, kernel, stride)
    assert tuple(y.shape) == (1, more_rows // stride + 1, more_columns // stride + 1, 2)
    for channel in range(2):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                rows = slice(i * stride, i * stride + kernel)
                window = x[0, rows, j * stride : j * stride + kernel, channel]
                mean = Fraction(window.to(torch.int64).sum().item(), kernel * kernel)
                assert y[0, i, j, channel].item() == half_up(mean)


@given(SEEDS, st.integers(1, 5), st.integers(1, 5), st.integers(1, 12), st.integers(1, 12))
def test_upsampling_takes_the_nearest_pixel(
    seed: int, height: int, width: int, to_height: int, to_width: int
) -> None:
    x = integers(seed, -32768, 32767, 1, height, width, 2, dtype=torch.int16)
    y = dgqc.upsample_nearest(x, to_height, to_width)
    for i in range(to_height):
        for j in range(to_width):
            row, column = Fraction(i * height, to_height), Fraction(j * width, to_width)
            assert torch.equal(y[:, i, j], x[:, int(row), int(column)])


@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
def test_upsampling_by_two_is_pytorchs(seed: int, height: int, width: int) -> None:
    x = integers(seed, -32768, 32767, 1, height, width, 2, dtype=torch.int16)
    expected = interpolate(x.double().permute(0, 3, 1, 2), scale_factor=2.0, mode="nearest")
    y = dgqc.upsample_nearest(x, 2 * height, 2 * width)
    assert torch.equal(y.permute(0, 3, 1, 2), expected.to(torch.int16))


@given(SEEDS, st.integers(0, 2))
def test_gather_puts_indices_in_order(seed: int, axis: int) -> None:
    x = integers(seed, 0, 255, 3, 4, 5, dtype=torch.uint8)
    order = torch.randperm(x.shape[axis], generator=torch.Generator().manual_seed(seed))
    y = dgqc.gather(x, order.to(torch.int32), axis)
    for place, index in enumerate(order.tolist()):
        assert torch.equal(y.select(axis, place), x.select(axis, index))
