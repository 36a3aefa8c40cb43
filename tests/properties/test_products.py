"""Grouped products against exact integers: every accumulator, in both group modes."""

from __future__ import annotations

import numpy
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.passes.lowering.operands import quantizer

from .numbers import SEEDS, STEP, apply, clamp, exact, integers
from .products import operand, patches, window

dgqc = torch.ops.dgqc
SIZES = st.integers(1, 7)
BITS = st.sampled_from([2, 4, 6, 8])


@given(SEEDS, SIZES, SIZES, SIZES, st.sampled_from([1, 2]), BITS)
def test_linear(seed: int, rows: int, depth: int, columns: int, axis: int, bits: int) -> None:
    x = operand(seed, axis, 1, rows, depth, bits=bits)
    weight = integers(seed + 4, -128, 127, columns, depth, dtype=torch.int8)
    constants, expected = window(x.values[0] @ exact(weight).T, seed)
    y = dgqc.linear(x.codes, STEP, *x.tables, weight, *constants)
    assert y.dtype is torch.int16
    assert y[0].tolist() == expected.tolist()


@given(SEEDS, SIZES, SIZES, SIZES, st.sampled_from([1, 2]))
def test_linear_of_a_16_bit_operand(seed: int, rows: int, depth: int, columns: int, axis: int) -> None:
    x = integers(seed, -32768, 32767, 1, rows, depth, dtype=torch.int16)
    weight = integers(seed + 4, -128, 127, columns, depth, dtype=torch.int8)
    whole = torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, 1, dtype=torch.int32)
    group = torch.zeros(x.shape[axis], dtype=torch.uint8)
    constants, expected = window(exact(x)[0] @ exact(weight).T, seed)
    y = dgqc.linear(x, STEP, *whole, group, axis, weight, *constants)
    assert y[0].tolist() == expected.tolist()


@given(SEEDS, st.integers(1, 4), st.integers(3, 5), st.integers(1, 2), st.integers(0, 2), BITS)
def test_conv2d_with_channel_groups(
    seed: int, channels: int, size: int, stride: int, padding: int, bits: int
) -> None:
    x = operand(seed, 3, 1, size, size + 1, channels, bits=bits)
    weight = integers(seed + 4, -128, 127, 3, 3, 2, channels, dtype=torch.int8)
    accumulator = patches(x.values[0], (3, 2), stride, padding) @ exact(weight).reshape(3, -1).T
    constants, expected = window(accumulator, seed)
    zero, multiple, group, _ = x.tables
    y = dgqc.conv2d(x.codes, STEP, zero, multiple, group, weight, *constants, [stride] * 2, [padding] * 2)
    assert y.flatten(0, 2).tolist() == expected.tolist()


@given(SEEDS, st.integers(1, 3), st.integers(3, 5), st.integers(1, 2), st.integers(0, 1), BITS)
def test_conv2d_with_groups_of_output_positions(
    seed: int, channels: int, size: int, stride: int, padding: int, bits: int
) -> None:
    x = integers(seed, -32768, 32767, 1, size, size + 1, channels, dtype=torch.int16)
    weight = integers(seed + 1, -128, 127, 3, 3, 2, channels, dtype=torch.int8)
    gathered = patches(exact(x)[0], (3, 2), stride, padding)
    group = integers(seed + 2, 0, 1, len(gathered), dtype=torch.uint8)
    zero = integers(seed + 3, -300, 300, 1, 2, dtype=torch.int32)
    multiple = integers(seed + 4, 1, 15, 1, 2, dtype=torch.int32)
    ratio = torch.exp2(integers(seed + 5, -14, -4, 1, 2).double())
    tables = tuple(table.to(torch.int32) for table in quantizer(ratio, zero.to(torch.int64)))
    rows = [t[0].to(torch.int64)[group.to(torch.int64)] for t in (*tables, zero, multiple)]
    m, r, s, z, c = (exact(row)[:, None] for row in rows)

    codes = apply(lambda v, m, r, s: clamp((v * m + r) >> s, 0, 2**bits - 1), gathered, m, r, s)
    constants, expected = window(((codes - z) * c) @ exact(weight).reshape(3, -1).T, seed)
    quantization = (*tables, zero, multiple, group, bits)
    y = dgqc.conv2d_pixel(x, STEP, *quantization, weight, *constants, [stride] * 2, [padding] * 2)
    assert y.flatten(0, 2).tolist() == expected.tolist()


@given(SEEDS, SIZES, SIZES, SIZES, st.sampled_from([1, 2]), st.sampled_from([1, 2]), BITS)
def test_matmul(seed: int, rows: int, depth: int, columns: int, left: int, right: int, bits: int) -> None:
    a = operand(seed, left, 2, rows, depth, bits=bits)
    b = operand(seed + 9, right, 2, columns, depth, bits=bits)
    accumulator = numpy.stack([a.values[i] @ b.values[i].T for i in range(2)])
    two, one = torch.tensor([2], dtype=torch.int32), torch.tensor([1], dtype=torch.int32)
    for width in (16, 32):
        limit = 2 ** (width - 1)
        y = dgqc.matmul(a.codes, b.codes, STEP, *a.tables, *b.tables, two, one, width)
        assert y.dtype is (torch.int16 if width == 16 else torch.int32)
        assert y.tolist() == numpy.clip(accumulator, -limit, limit - 1).tolist()
