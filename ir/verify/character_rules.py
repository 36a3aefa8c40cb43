"""What a tokenizer's tables of characters must look like, so that C stays within its memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ..unicode import Characters

MOST_POINTS = 0x110000
POINTS_A_BYTE, BYTES_A_BYTE = 2, 5
"""Characters, and bytes of them, that C has room for, for each byte of a text (`dgqc_tokenize.c`)."""
REPLACEMENT = 0xFFFD
"""Stands for a byte that is no text."""
LetterCosts = Mapping[int, tuple[float, float]]
"""Characters and bytes, by code point."""


def character_checks(one: Characters) -> list[tuple[str, bool]]:
    """What is to hold, by name."""
    points = (one.class_from, one.small_from, one.parts_from, one.marks_from)
    pairs = (one.small_to, one.parts_to)
    shaped = all(_plain(table, 1) for table in (*points, one.class_of, one.mark_of, one.composed))
    if not shaped or not all(_plain(table, 2) and table.shape[1] == 2 for table in pairs):
        return [("characters", False)]
    return [
        ("order of characters", all(_ordered(table) for table in points)),
        ("classes", _runs(one.class_from, one.class_of, 4)),
        ("marks", _runs(one.marks_from, one.mark_of, 256)),
        ("small letters", len(one.small_to) == len(one.small_from) and within(one.small_to, MOST_POINTS)),
        ("letters without a small form", bool((one.small_to[:, :1] > 0).all())),
        ("composed letters", len(one.parts_to) == len(one.parts_from) and _made_of_less(one)),
        ("compositions", _composed(one)),
        ("letters that grow", _has_room(one)),
    ]


def within(table: torch.Tensor, most: int) -> bool:
    """Whether all are int32 from 0 to below `most`."""
    integers = table.dtype is torch.int32
    return integers and (not table.numel() or (int(table.min()) >= 0 and int(table.max()) < most))


def _plain(table: torch.Tensor, axes: int) -> bool:
    return table.dtype is torch.int32 and table.dim() == axes


def _ordered(table: torch.Tensor) -> bool:
    """Rising, for they are searched by halves."""
    return within(table, MOST_POINTS) and bool((table[1:] > table[:-1]).all())


def _runs(begins: torch.Tensor, values: torch.Tensor, most: int) -> bool:
    return len(begins) == len(values) > 0 and int(begins[0]) == 0 and within(values, most)


def _made_of_less(one: Characters) -> bool:
    """No letter may be made of itself on the way, nor of more than four: taking apart must come to an end."""
    made_of = _made_of(one)

    def parts(point: int, depth: int) -> int:
        if depth > 4 or point not in made_of:
            return 1 if depth <= 4 else MOST_POINTS
        return sum(parts(part, depth + 1) for part in made_of[point])

    return (
        within(one.parts_to, MOST_POINTS)
        and bool((one.parts_to[:, :1] > 0).all())
        and all(parts(point, 0) <= 4 for point in made_of)
    )


def _composed(one: Characters) -> bool:
    """Rows of pairs, in the order of what they are made of."""
    if not within(one.composed, max(1, len(one.parts_from))) or len(one.parts_to) != len(one.parts_from):
        return False
    if len(one.composed) and not len(one.parts_from):
        return False
    pairs = [tuple(pair) for pair in one.parts_to[one.composed.long()].tolist()]
    return all(second for _, second in pairs) and pairs == sorted(set(pairs))


def _has_room(one: Characters) -> bool:
    """Whether no text grows beyond its memory while it is taken apart, put together and made small.

    What letters are put together of may come from different ones, so each part bears its share.
    """
    if len(one.small_to) != len(one.small_from) or not _made_of_less(one) or not _composed(one):
        return True  # Said already.
    made_of = _made_of(one)
    small = {
        point: [to for to in pair if to]
        for point, pair in zip(one.small_from.tolist(), one.small_to.tolist(), strict=True)
    }
    shares: dict[int, tuple[float, float]] = {}
    for row in one.composed.tolist():
        whole = int(one.parts_from[row])
        parts, cost = _parts(whole, made_of), _cost([whole], small)
        for part in parts:
            before = shares.get(part, (0.0, 0.0))
            shares[part] = (max(before[0], cost[0] / len(parts)), max(before[1], cost[1] / len(parts)))
    known = {*made_of, *small, *shares, REPLACEMENT}
    return all(_fits(point, made_of, small, shares) for point in known)


def _fits(
    point: int, made_of: Mapping[int, Sequence[int]], small: Mapping[int, Sequence[int]], shares: LetterCosts
) -> bool:
    size = 1 if point == REPLACEMENT else _bytes(point)
    parts = _parts(point, made_of)
    points = bytes_ = 0.0
    for part in parts:
        own, share = _cost([part], small), shares.get(part, (0.0, 0.0))
        points, bytes_ = points + max(own[0], share[0]), bytes_ + max(own[1], share[1])
    return (
        len(parts) <= POINTS_A_BYTE * size
        and points <= POINTS_A_BYTE * size
        and bytes_ <= BYTES_A_BYTE * size
    )


def _made_of(one: Characters) -> dict[int, list[int]]:
    rows = zip(one.parts_from.tolist(), one.parts_to.tolist(), strict=True)
    return {point: [part for part in pair if part] for point, pair in rows}


def _parts(point: int, made_of: Mapping[int, Sequence[int]]) -> list[int]:
    if point not in made_of:
        return [point]
    return [part for one in made_of[point] for part in _parts(one, made_of)]


def _cost(points: Sequence[int], small: Mapping[int, Sequence[int]]) -> tuple[float, float]:
    """Of their small forms."""
    found = [to for point in points for to in small.get(point, (point,))]
    return float(len(found)), float(sum(_bytes(to) for to in found))


def _bytes(point: int) -> int:
    """Of a character in UTF-8."""
    return 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
