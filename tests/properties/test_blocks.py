"""Attention in blocks of rows: the same integers, whatever the blocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.ops import blocks
from dgqc.ir.ops.blocks import by_rows

from .attention import logits
from .numbers import SEEDS, STEP, integers

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
        seen.append(part.shape[0] * part.shape[-2] * width)
        return (part,)

    whole = torch.arange(2 * rows * 3).reshape(2, rows, 3)
    run: Callable[..., tuple[torch.Tensor, ...]] = by_rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 100)
        (found,) = run(function, width, whole)
    assert torch.equal(found, whole)
    assert max(seen) <= max(100, 2 * width)
