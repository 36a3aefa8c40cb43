"""A tokenizer's tables may be a stranger's: what is damaged is refused, and what isn't gives ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import text_parts
import torch
from bare_programs import ONE, program
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.frontends.loading.token_tables import token_tables
from dgqc.ir.program import IDS, Input
from dgqc.ir.tokenizer import Tokenizer
from dgqc.ir.unicode import Characters
from dgqc.ir.verify.tokenizer_rules import tokenizer_problems

PAIRS, WORDS = token_tables(text_parts.small_clip()), token_tables(text_parts.tokenizer())
Change = Callable[[Any], Any]


def found(tokenizer: Tokenizer, length: int | None = None) -> list[str]:
    """What is said of a text encoder's program with this tokenizer."""
    ids = Input(IDS, (1, length or tokenizer.length), ONE)
    whole = replace(program((ids,), (1, 3, 2)), tokenizer=tokenizer)
    return [problem.found for problem in tokenizer_problems(whole)]


def test_tables_that_are_read_off_tokenizers_are_right() -> None:
    assert found(PAIRS) == found(WORDS) == []


def changed(table: torch.Tensor, place: int | tuple[int, int], value: int) -> torch.Tensor:
    other = table.clone()
    other[place] = value
    return other


def merged(row: int, column: int, value: int) -> Change:
    return lambda one: replace(one, merges=changed(one.merges, (row, column), value))


def lettered(name: str, place: int | tuple[int, int], value: int) -> Change:
    def change(one: Any) -> Any:
        characters = one.characters
        table = changed(getattr(characters, name), place, value)
        return replace(one, characters=replace(characters, **{name: table}))

    return change


DAMAGES: dict[str, tuple[Tokenizer, Change, str]] = {
    "a merge of a token that nothing makes": (PAIRS, merged(0, 0, 60000), "merges"),
    "a merge made of its own result": (
        PAIRS,
        lambda one: replace(one, merges=torch.tensor([[one.alone[5], 9000, 0, 9000]], dtype=torch.int32)),
        "merges",
    ),
    "a merge beyond all ids": (PAIRS, merged(0, 3, 70000), "merges"),
    "merges out of order": (PAIRS, lambda one: replace(one, merges=one.merges.flip(0)), "merges"),
    "merges of one rank": (PAIRS, merged(1, 2, int(PAIRS.merges[0, 2])), "merges"),
    "merges of three columns": (PAIRS, lambda one: replace(one, merges=one.merges[:, :3]), "merges"),
    "fewer bytes": (PAIRS, lambda one: replace(one, alone=one.alone[:200]), "bytes"),
    "a byte beyond all ids": (PAIRS, lambda one: replace(one, last=one.last + 2**16), "ids of bytes"),
    "a table of tables": (PAIRS, lambda one: replace(one, alone=one.alone.reshape(16, 16)), "tables"),
    "a token too few": (PAIRS, lambda one: replace(one, special_ids=one.special_ids[:1]), "special tokens"),
    "a special text with an end": (
        PAIRS,
        lambda one: replace(one, special_texts=("a\0", *one.special_texts[1:])),
        "special texts",
    ),
    "half a character": (
        PAIRS,
        lambda one: replace(one, special_texts=("\ud800", *one.special_texts[1:])),
        "special texts",
    ),
    "no room for two ends": (PAIRS, lambda one: replace(one, length=1), "length"),
    "an end beyond all ids": (PAIRS, lambda one: replace(one, end=2**16), "ids"),
    "words out of order": (WORDS, lambda one: replace(one, words=one.words.flip(0)), "words"),
    "words beyond their text": (
        WORDS,
        lambda one: replace(one, word_begins=changed(one.word_begins, -1, 10**6)),
        "words",
    ),
    "words that go back": (WORDS, lambda one: replace(one, word_begins=one.word_begins.flip(0)), "words"),
    "words without a text": (WORDS, lambda one: replace(one, word_begins=one.word_begins[:0]), "words"),
    "a letter made of itself": (
        PAIRS,
        lettered("parts_to", (0, 0), int(PAIRS.characters.parts_from[0])),
        "composed letters",
    ),
    "characters out of order": (PAIRS, lettered("small_from", 0, 500), "order of characters"),
    "a class that there isn't": (PAIRS, lettered("class_of", 0, 4), "classes"),
    "a composition of nothing": (PAIRS, lettered("composed", 0, 10**6), "compositions"),
    "a small letter of eight bytes": (
        PAIRS,
        lambda one: lettered("small_to", (0, 1), 0x10FFFF)(lettered("small_to", (0, 0), 0x10FFFF)(one)),
        "letters that grow",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_tables_are_refused(name: str) -> None:
    tokenizer, change, said = DAMAGES[name]
    assert f"a tokenizer's {said}" in found(change(tokenizer), tokenizer.length)


def test_as_many_ids_as_the_program_takes() -> None:
    """More would be written beyond the memory that C has for them."""
    assert found(PAIRS, PAIRS.length - 1) == [f"a tokenizer of {PAIRS.length} ids"]


TABLES = [one.name for one in fields(Tokenizer) if isinstance(getattr(PAIRS, one.name), torch.Tensor)]
LETTERS = [one.name for one in fields(Characters)]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_not_refused_gives_ids(data: st.DataObject) -> None:
    """Whatever number of whatever table is changed."""
    tokenizer = data.draw(st.sampled_from([PAIRS, WORDS]))
    holder = data.draw(st.sampled_from([tokenizer, tokenizer.characters]))
    name = data.draw(st.sampled_from(TABLES if holder is tokenizer else LETTERS))
    table = getattr(holder, name)
    if not table.numel():
        return
    place = data.draw(st.integers(0, table.numel() - 1))
    most = 255 if table.dtype is torch.uint8 else 2**31 - 1
    value = data.draw(
        st.one_of(st.integers(0, min(most, 600)), st.integers(0 if most == 255 else -most, most))
    )
    flat = table.flatten().clone()
    flat[place] = value
    part = replace(holder, **{name: flat.reshape(table.shape)})
    damaged = part if holder is tokenizer else replace(tokenizer, characters=part)
    if not found(damaged):
        ids = damaged.encode("a cat of \u1e69\u0130 2 xxxx! <|endoftext|>")
        assert len(ids) == damaged.length
        assert all(0 <= one < 2**16 for one in ids)
