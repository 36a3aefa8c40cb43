"""What a tokenizer's tables must look like, so that C never reads beyond them."""

from __future__ import annotations

import torch

from ..program import Program
from ..tokenizer import Tokenizer
from ..unicode import Characters
from .checks import Problem, Problems

MOST_POINTS = 0x110000
MOST_IDS = 2**16


def tokenizer_problems(program: Program) -> Problems:
    """Every problem of a program's tokenizer; none without one."""
    tokenizer = program.tokenizer
    if tokenizer is None:
        return
    wrong = [name for name, right in _checks(tokenizer) if not right]
    for name in wrong:
        yield Problem(f"a tokenizer's {name}", "tables as `Tokenizer` says", "they were made by hand")


def _checks(one: Tokenizer) -> list[tuple[str, bool]]:
    specials = len(one.special_ids)
    ids = (one.begin, one.end, one.pad, one.unknown, *one.special_ids)
    words = one.word_begins
    return [
        ("length", 2 <= one.length <= MOST_IDS),
        ("ids", all(0 <= number < MOST_IDS for number in ids)),
        ("special tokens", len(one.special_texts) == len(one.special_normalized) == specials),
        ("special texts", all(text and "\0" not in text for text in (*one.special_texts, *one.literals))),
        ("merges", one.merges.dtype is torch.int32 and one.merges.dim() == 2 and one.merges.shape[1] == 4),
        ("merged ids", _within(one.merges, MOST_IDS)),
        ("bytes", len(one.alone) == len(one.last) == (256 if len(one.merges) else 0)),
        ("ids of bytes", _within(one.alone, MOST_IDS) and _within(one.last, MOST_IDS)),
        (
            "words",
            one.words.dtype is torch.uint8 and len(words) == (len(one.word_ids) + 1 if len(words) else 0),
        ),
        ("ids of words", _within(one.word_ids, MOST_IDS)),
        ("places of words", _rising(words, len(one.words))),
        *_characters(one.characters),
    ]


def _characters(one: Characters) -> list[tuple[str, bool]]:
    return [
        ("classes", _runs(one.class_from, one.class_of, 4)),
        ("marks", _runs(one.marks_from, one.mark_of, 256)),
        (
            "small letters",
            one.small_to.shape == (len(one.small_from), 2) and _within(one.small_to, MOST_POINTS),
        ),
        ("composed letters", one.parts_to.shape == (len(one.parts_from), 2) and _made_of_less(one)),
        ("compositions", _within(one.composed, max(1, len(one.parts_from)))),
    ]


def _made_of_less(one: Characters) -> bool:
    """No letter may be made of itself on the way, nor of more than four: taking apart must come to an end."""
    made_of = dict(zip(one.parts_from.tolist(), one.parts_to.tolist(), strict=True))

    def parts(point: int, depth: int) -> int:
        if depth > 4 or point not in made_of:
            return 1 if depth <= 4 else MOST_IDS
        return sum(parts(part, depth + 1) for part in made_of[point] if part)

    return _within(one.parts_to, MOST_POINTS) and all(parts(point, 0) <= 4 for point in made_of)


def _within(table: torch.Tensor, most: int) -> bool:
    integers = table.dtype is torch.int32
    return integers and (not table.numel() or (int(table.min()) >= 0 and int(table.max()) < most))


def _runs(begins: torch.Tensor, values: torch.Tensor, most: int) -> bool:
    return (
        len(begins) == len(values) > 0
        and int(begins[0]) == 0
        and _within(values, most)
        and _within(begins, MOST_POINTS)
    )


def _rising(begins: torch.Tensor, size: int) -> bool:
    if not len(begins):
        return begins.dtype is torch.int32
    ordered = bool((begins[1:] >= begins[:-1]).all())
    return begins.dtype is torch.int32 and ordered and int(begins[0]) == 0 and int(begins[-1]) == size
