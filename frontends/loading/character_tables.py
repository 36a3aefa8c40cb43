"""Tables of characters as the tokenizers library knows them: it is asked, having a Unicode of its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import torch
from tokenizers import Regex, normalizers, pre_tokenizers

from ...ir.unicode import LETTER, NUMBER, OTHER, SPACE, Characters

ASSIGNED = (range(1, 0x33480), range(0xE0000, 0xE1000))
"""Beyond them lies nothing but private characters, which are of no class."""
SURROGATES = range(0xD800, 0xE000)
SHADOWED = {"\\s": SPACE, "\\p{L}": LETTER, "\\p{N}": NUMBER}
OVERLAY, HEBREW = "\u0334", "\u05b0"
"""Marks of the lowest place, and of one that few are below."""
BETWEEN = "\n"
"""Joins with nothing."""


@cache
def characters_of() -> Characters:
    """All tables, made once: some seconds."""
    points = [point for one in ASSIGNED for point in one if point not in SURROGATES]
    class_from, class_of = _runs(_classes(points))
    made = _made_of(points)
    order = sorted(made)
    whole = [row for row, point in enumerate(order) if _composes(point)]
    whole.sort(key=lambda row: made[order[row]])
    small = _small(points)
    marks_from, mark_of = _runs(_marks(points))
    return Characters(
        _integers(class_from),
        _integers(class_of),
        _integers(sorted(small)),
        _integers([small[point] for point in sorted(small)]).reshape(-1, 2),
        _integers(order),
        _integers([made[point] for point in order]).reshape(-1, 2),
        _integers(whole),
        _integers(marks_from),
        _integers(mark_of),
    )


@cache
def spaces_of() -> Characters:
    """What tells whole words apart: spaces alone."""
    points = [point for point in range(1, 0x10000) if point not in SURROGATES]
    spaces = {point: kind if kind == SPACE else OTHER for point, kind in _classes(points).items()}
    class_from, class_of = _runs(spaces)
    none = _integers([])
    pairs = none.reshape(0, 2)
    nothing = (_integers([0]), _integers([0]))
    return Characters(_integers(class_from), _integers(class_of), none, pairs, none, pairs, none, *nothing)


def _each(texts: Sequence[str], change: Callable[[str], str]) -> list[str]:
    """What becomes of each of many texts, asked all at once."""
    return change(BETWEEN.join(texts)).split(BETWEEN)


def _classes(points: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    text = "".join(map(chr, points))
    for regex, kind in SHADOWED.items():
        split = pre_tokenizers.Split(Regex(f"{regex}+"), behavior="removed", invert=True)
        for piece, _ in split.pre_tokenize_str(text):
            found |= dict.fromkeys(map(ord, piece), kind)
    return {point: found.get(point, OTHER) for point in points}


def _small(points: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Characters that have a small form, which is two characters at most."""
    letters = [chr(point) for point in points if chr(point) != BETWEEN]
    lowered = _each(letters, normalizers.Lowercase().normalize_str)
    return {
        ord(one): (ord(to[0]), ord(to[1]) if len(to) > 1 else 0)
        for one, to in zip(letters, lowered, strict=True)
        if one != to
    }


@cache
def _composed(text: str) -> str:
    return str(normalizers.NFC().normalize_str(text))


def _made_of(points: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Characters that are made of one or two others. Whether the library knows one shows when it puts it
    together again, or never leaves it whole. Korean syllables are computed."""
    found = {}
    for point in points:
        parts = unicodedata.decomposition(chr(point))
        if not parts or parts.startswith("<"):
            continue
        first, *second = (int(part, 16) for part in parts.split())
        apart = unicodedata.normalize("NFD", chr(point))
        if _composed(chr(point)) != chr(point) or _composed(apart) == chr(point):
            found[point] = (first, second[0] if second else 0)
    return found


def _composes(point: int) -> bool:
    return _composed(chr(point)) == chr(point)


def _marks(points: Iterable[int]) -> dict[int, int]:
    """At which place marks stand, 0 for what is none to the library."""
    found = {}
    for point in points:
        mark = unicodedata.combining(chr(point))
        known = mark and (
            _composed(f"x{chr(point)}{OVERLAY}") != f"x{chr(point)}{OVERLAY}"
            or _composed(f"x{HEBREW}{chr(point)}") != f"x{HEBREW}{chr(point)}"
            or mark in (1, 10)
        )
        found[point] = mark if known else 0
    return found


def _runs(values: dict[int, int]) -> tuple[list[int], list[int]]:
    """Where another value begins, from 0 on, and which."""
    begins, which = [0], [0]
    for point in sorted(values):
        if values[point] != which[-1]:
            begins.append(point)
            which.append(values[point])
    return begins, which


def _integers(values: Sequence[object]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)
