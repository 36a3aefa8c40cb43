"""What a tokenizer's tables must look like: C stays within them, and gives what Python gives."""

from __future__ import annotations

from itertools import pairwise

import torch

from ..program import Program
from ..tokenizer import Tokenizer
from .character_rules import character_checks, within
from .checks import Problem, Problems

MOST_IDS = 2**16
MOST_TEXTS = 4096
"""Special tokens."""


def tokenizer_problems(program: Program) -> Problems:
    """Every problem of a program's tokenizer; none without one."""
    tokenizer = program.tokenizer
    if tokenizer is None:
        return
    shape = program.inputs[0].shape if program.inputs else ()
    if tuple(shape[1:]) != (tokenizer.length,):
        yield Problem(
            f"a tokenizer of {tokenizer.length} ids", f"as many as the program takes, {shape}", "both changed"
        )
    wrong = [name for name, right in _checks(tokenizer) if not right]
    for name in wrong:
        yield Problem(f"a tokenizer's {name}", "tables as `Tokenizer` says", "they were made by hand")


def _checks(one: Tokenizer) -> list[tuple[str, bool]]:
    specials = len(one.special_ids)
    ids = (one.begin, one.end, one.pad, one.unknown, *one.special_ids)
    flat = (one.alone, one.last, one.word_begins, one.word_ids)
    if not all(table.dtype is torch.int32 and table.dim() == 1 for table in flat):
        return [("tables", False)]
    return [
        ("length", 2 <= one.length <= MOST_IDS),
        ("ids", all(0 <= number < MOST_IDS for number in ids)),
        (
            "special tokens",
            len(one.special_texts) == len(one.special_normalized) == specials <= MOST_TEXTS,
        ),
        ("special texts", all(_readable(text) for text in (*one.special_texts, *one.literals))),
        ("ids of bytes", within(one.alone, MOST_IDS) and within(one.last, MOST_IDS)),
        ("bytes", len(one.alone) == len(one.last) == (256 if one.merges.numel() else 0)),
        ("merges", _merges(one)),
        ("words", _words(one)),
        ("ids of words", within(one.word_ids, MOST_IDS)),
        *character_checks(one.characters),
    ]


def _readable(text: str) -> bool:
    """Whether C can hold it as a text that ends with a 0."""
    try:
        return bool(text) and "\0" not in text and len(text.encode()) < MOST_IDS
    except UnicodeEncodeError:
        return False


def _merges(one: Tokenizer) -> bool:
    """Sorted by what they merge, each pair and each rank once; tokens are bytes, or come of earlier merges.

    So none points nowhere, and none is made of what is made of it.
    """
    merges = one.merges
    if merges.dtype is not torch.int32 or merges.dim() != 2 or merges.shape[1] != 4:
        return False
    if not within(merges, MOST_IDS):
        return False
    rows = merges.tolist()
    if not all(first[:2] < second[:2] for first, second in pairwise(rows)):
        return False
    known = {*one.alone.tolist(), *one.last.tolist()}
    last = -1
    for left, right, rank, result in sorted(rows, key=lambda row: row[2]):
        if rank == last or not {left, right} <= known:
            return False
        known.add(result)
        last = rank
    return True


def _words(one: Tokenizer) -> bool:
    """One after another, in the order of their bytes, each once."""
    if one.words.dtype is not torch.uint8 or one.words.dim() != 1:
        return False
    begins = one.word_begins.tolist()
    if not begins:
        return not len(one.word_ids) and not len(one.words)
    rising = all(first <= second for first, second in pairwise(begins))
    if len(begins) != len(one.word_ids) + 1 or begins[0] != 0 or begins[-1] != len(one.words) or not rising:
        return False
    text = bytes(one.words.tolist())
    words = [text[begin:end] for begin, end in pairwise(begins)]
    return all(first < second for first, second in pairwise(words))
