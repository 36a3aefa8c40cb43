"""The reference in blocks of rows: the same integers, whatever the blocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.arithmetic.lookup import activation_table, sigmoid
from dgqc.ir.ops import blocks, convolution, norm
from dgqc.ir.ops.blocks import by_rows

from .attention import logits
from .numbers import SEEDS, STEP, integers
from .products import Operand, operand

dgqc = torch.ops.dgqc
Results = list[torch.Tensor]


def attention(seed: int, rows: int, keys: int, granularity: str, start: bool) -> Results:
    """Every result of an attention's ops: a product, three softmaxes, the mix of values."""
    a, b = integers(seed, 0, 255, 2, rows, 6).byte(), integers(seed + 1, 0, 255, 2, keys, 6).byte()
    zero, multiple = torch.full((1, 2), 100, dtype=torch.int32), torch.tensor([[1, 3]], dtype=torch.int32)
    one, shift = torch.ones(1, dtype=torch.int32), torch.full((1,), 4, dtype=torch.int32)
    by_row = torch.arange(rows).remainder(2).byte()
    by_column = torch.arange(6).remainder(2).byte()
    operands = (zero, multiple, by_row, 1, zero, multiple, by_column, 2)
    product = dgqc.matmul(a, b, STEP, *operands, one, shift, 32)
    scores = logits(seed, 3.0, 2, rows, keys)
    log2 = dgqc.softmax_log2(scores, 15, granularity, start)
    uniform = dgqc.softmax_uniform(scores, 8, granularity, start)
    tables = (torch.full((1,), value, dtype=torch.int32) for value in (2**20, 40, 2**14, 3))
    static = dgqc.softmax_static(scores, STEP, *tables, 8, start)
    shares = torch.tensor([2**15 >> code for code in range(16)], dtype=torch.int32)
    mix = dgqc.attend(*log2, start, shares, 15, b, STEP, zero, multiple, by_column, 2, one, shift)
    return [product, *log2, *uniform, *static, mix]


@given(SEEDS, st.integers(1, 9), st.integers(2, 20), st.sampled_from(["row", "tensor"]), st.booleans())
def test_blocks_change_nothing(seed: int, rows: int, keys: int, granularity: str, start: bool) -> None:
    whole = attention(seed, rows, keys, granularity, start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 3 * keys)
        parts = attention(seed, rows, keys, granularity, start)
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)


@given(st.integers(1, 40), st.integers(1, 30))
def test_no_block_is_larger_than_it_may_be(rows: int, width: int) -> None:
    seen: list[int] = []

    def function(part: torch.Tensor) -> tuple[torch.Tensor]:
        seen.append(part.shape[:-1].numel() * width)
        return (part,)

    whole = torch.arange(2 * rows * 3).reshape(2, rows, 3)
    run: Callable[..., tuple[torch.Tensor, ...]] = by_rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 100)
        (found,) = run(function, width, whole)
    assert torch.equal(found, whole)
    assert max(seen) <= max(100, width)


def number(value: int) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.int32)


def image(seed: int, lines: int, columns: int, axis: int, kernel: int, stride: int, padding: int) -> Results:
    """Results of ops on an image and on its positions: products, and what stands between them."""
    x: Operand = operand(seed, 3, 1, lines, columns, 5, padded=True)
    values = integers(seed, -32768, 32767, 1, lines, columns, 5, dtype=torch.int16)
    other = integers(seed + 1, -32768, 32767, 1, lines, columns, 5, dtype=torch.int16)
    weight = integers(seed + 2, -128, 127, 4, kernel, kernel, 5, dtype=torch.int8)
    epilogue = (integers(seed, 0, 2**30, 4).int(), number(2**26), number(12), integers(seed, -9, 9, 4).int())
    epilogue = (*epilogue, number(8), number(2))
    places = [stride, stride], [padding, padding]
    codes = torch.cat([x.codes, x.codes.flip(1)])
    convolved = dgqc.conv2d(codes, STEP, x.zero, x.multiple, x.group, weight, *epilogue, *places)
    positions = operand(seed, 1, 1, convolved.shape[1] * convolved.shape[2], 5, padded=True)
    steps = (positions.multiple, positions.zero << 4, torch.full_like(positions.zero, 4))
    pixels = dgqc.conv2d_pixel(
        torch.cat([values, other]), STEP, *steps, *positions.tables[:3], 8, weight, *epilogue, *places
    )
    along = operand(seed, axis, lines, columns, 5)
    rows = dgqc.linear(along.codes, STEP, *along.tables, weight[:, 0, 0], *epilogue)
    codes = dgqc.quantize(values[0], STEP, *steps, along.group, axis, 6)
    factors = number(5000), number(-3000), number(13)
    sums = dgqc.add(values, other[:, :1, :1], STEP, *factors), dgqc.add(values[0, 0], other, STEP, *factors)
    product = dgqc.mul(values, other[..., :1], STEP, number(2**14), number(29))
    rescaled = dgqc.rescale(values, STEP, number(9999), number(13))
    table = activation_table(sigmoid, 8.0)
    curved = dgqc.activation(values, STEP, table, number(2**14), number(13), number(2**14), number(30))
    affine = (integers(seed, -(2**30), 2**30, 8).int(), number(2**28), number(10))
    affine = (*affine, integers(seed + 1, -(2**20), 2**20, 8).int(), number(2**20), number(30))
    wider = torch.cat([values, other[..., :3]], dim=-1)
    norms = (
        dgqc.group_norm(wider, STEP, 4, *affine, torch.tensor([[9, 2, 3, 4]]) << 42),
        dgqc.group_norm(torch.cat([wider, -wider]), STEP, 2, *affine, torch.tensor([5]), 20),
        dgqc.layer_norm(wider, STEP, *affine, torch.tensor([5])),
    )
    return [convolved, pixels, rows, codes, *sums, product, rescaled, curved, *norms]


@given(
    SEEDS,
    st.integers(3, 7),
    st.integers(3, 5),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1]),
    st.integers(1, 200),
)
def test_blocks_of_images_change_nothing(
    seed: int, lines: int, columns: int, axis: int, kernel: int, stride: int, padding: int, band: int
) -> None:
    whole = image(seed, lines, columns, axis, kernel, stride, padding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 12)
        patch.setattr(norm, "BLOCK", 12)
        patch.setattr(convolution, "LINES", band)
        parts = image(seed, lines, columns, axis, kernel, stride, padding)
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)
