"""Ids of tokens: rows of tables, and where a text ends, for any ids."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.ops.tokens import IDS, embed, end_token, signed, unsigned

IDS_OF_TEXTS = st.lists(st.lists(st.integers(0, IDS - 1), min_size=5, max_size=5), min_size=1, max_size=3)


@given(IDS_OF_TEXTS)
def test_sixteen_bits_hold_any_id(texts: list[list[int]]) -> None:
    ids = torch.tensor(texts)
    assert signed(ids).dtype is torch.int16
    assert torch.equal(unsigned(signed(ids)), ids)


@given(IDS_OF_TEXTS, st.integers(1, 9))
def test_known_ids_are_looked_up_as_pytorch_does_and_others_have_a_row(
    texts: list[list[int]], rows: int
) -> None:
    table, ids = torch.randn(rows, 3), torch.tensor(texts)
    known = ids % rows
    wanted = torch.nn.functional.embedding(known, table)
    assert torch.equal(embed(table, known), wanted)
    assert torch.equal(embed(table, signed(ids)), wanted)


@given(IDS_OF_TEXTS, st.integers(-1, 4))
def test_the_end_is_where_clip_finds_it(texts: list[list[int]], end: int) -> None:
    """transformers: `argmax` of the ids, or of where they are the end."""
    ids = torch.tensor(texts) % 5
    x = torch.randn(*ids.shape, 2)
    place = ids.argmax(dim=-1) if end < 0 else (ids == end).int().argmax(dim=-1)
    wanted = x[torch.arange(len(ids)), place]
    assert torch.equal(end_token(x, ids, end), wanted)
    assert torch.equal(end_token(x, signed(ids), end), wanted)
