"""What a tokenizer knows of characters, as tables: composed forms, small letters, classes."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

OTHER, SPACE, LETTER, NUMBER = 0, 1, 2, 3
"""Classes of characters."""
SYLLABLES, LEADS, VOWELS, TRAILS = 0xAC00, 0x1100, 0x1161, 0x11A7
"""Where Korean syllables begin, and the letters that they are made of."""
LEAD_COUNT, VOWEL_COUNT, TRAIL_COUNT = 19, 21, 28
SYLLABLE_COUNT = LEAD_COUNT * VOWEL_COUNT * TRAIL_COUNT


@dataclass(frozen=True)
class Characters:
    """Tables by code point, int32.

    class_from, class_of: (N,), sorted: from each code point on, which class.
    small_from: (N,), sorted, characters that have a small form; small_to: (N, 2), what that is, 0 for none.
    parts_from: (N,), sorted, characters that are made of others; parts_to: (N, 2), of which, 0 for none.
    composed: (N,), which of them are put together again, by what they are made of.
    marks_from, mark_of: (N,), sorted: from each code point on, at which place a mark stands; 0 for no mark.
    """

    class_from: torch.Tensor
    class_of: torch.Tensor
    small_from: torch.Tensor
    small_to: torch.Tensor
    parts_from: torch.Tensor
    parts_to: torch.Tensor
    composed: torch.Tensor
    marks_from: torch.Tensor
    mark_of: torch.Tensor

    def class_at(self, point: int) -> int:
        """The class of a character."""
        return self._classes[1][bisect.bisect_right(self._classes[0], point) - 1]

    def composed_form(self, points: Sequence[int]) -> list[int]:
        """Normalization form C: marks in their order, joined with what they stand on where that is one."""
        parts = [part for point in points for part in self._parts(point)]
        self._order(parts)
        return self._compose(parts)

    def small(self, point: int) -> list[int]:
        """The small form of a character, one or two."""
        return self._small.get(point, [point])

    @cached_property
    def _classes(self) -> tuple[list[int], list[int]]:
        return self.class_from.tolist(), self.class_of.tolist()

    @cached_property
    def _marks(self) -> tuple[list[int], list[int]]:
        return self.marks_from.tolist(), self.mark_of.tolist()

    @cached_property
    def _small(self) -> dict[int, list[int]]:
        rows = zip(self.small_from.tolist(), self.small_to.tolist(), strict=True)
        return {point: [one for one in to if one] for point, to in rows}

    @cached_property
    def _made_of(self) -> dict[int, list[int]]:
        rows = zip(self.parts_from.tolist(), self.parts_to.tolist(), strict=True)
        return {point: [one for one in to if one] for point, to in rows}

    @cached_property
    def _made(self) -> dict[tuple[int, int], int]:
        points, parts = self.parts_from.tolist(), self.parts_to.tolist()
        return {(parts[row][0], parts[row][1]): points[row] for row in self.composed.tolist()}

    def _mark(self, point: int) -> int:
        return self._marks[1][bisect.bisect_right(self._marks[0], point) - 1]

    def _parts(self, point: int) -> list[int]:
        if SYLLABLES <= point < SYLLABLES + SYLLABLE_COUNT:
            rest, trail = divmod(point - SYLLABLES, TRAIL_COUNT)
            lead, vowel = divmod(rest, VOWEL_COUNT)
            return [LEADS + lead, VOWELS + vowel, *([TRAILS + trail] if trail else [])]
        made_of = self._made_of.get(point)
        return [point] if made_of is None else [part for one in made_of for part in self._parts(one)]

    def _order(self, points: list[int]) -> None:
        """Sorts marks that follow each other by their place; equal ones stay as they are."""
        for place in range(1, len(points)):
            mark = self._mark(points[place])
            at = place
            while mark and at and self._mark(points[at - 1]) > mark:
                points[at - 1], points[at] = points[at], points[at - 1]
                at -= 1

    def _compose(self, points: list[int]) -> list[int]:
        made: list[int] = []
        base, last = -1, 0
        for point in points:
            mark = self._mark(point)
            blocked = base < 0 or (base < len(made) - 1 and (last == 0 or last >= mark))
            whole = None if blocked else self._joined(made[base], point)
            if whole is not None:
                made[base] = whole
                continue
            if mark == 0:
                base = len(made)
            made.append(point)
            last = mark
        return made

    def _joined(self, first: int, second: int) -> int | None:
        lead, vowel, trail = first - LEADS, second - VOWELS, second - TRAILS
        if 0 <= lead < LEAD_COUNT and 0 <= vowel < VOWEL_COUNT:
            return SYLLABLES + (lead * VOWEL_COUNT + vowel) * TRAIL_COUNT
        syllable = first - SYLLABLES
        if 0 <= syllable < SYLLABLE_COUNT and syllable % TRAIL_COUNT == 0 and 0 < trail < TRAIL_COUNT:
            return first + trail
        return self._made.get((first, second))
