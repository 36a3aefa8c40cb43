"""A tokenizer as tables: from a prompt's bytes to the ids that a text encoder takes, in integers.

Two kinds: CLIP's byte-pair encoding, and whole words between spaces. This is the reference that the emitted C
agrees with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch

from .errors import DgqcError
from .unicode import NUMBER, SPACE, Characters

CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
"""Ends of words that are pieces of their own."""


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer's tables.

    length: ids of a prompt, the first and the last among them; longer ones are cut, shorter ones padded.
    begin, end, pad, unknown: ids.
    special_texts, special_ids: tokens that are looked for in a prompt before anything else.
    special_normalized: which of them are looked for after normalization.
    literals: texts that are pieces by themselves where one begins, and are cut like others then.
    characters: of all text.
    merges: int32 (M, 4), left, right, rank, result, sorted by left and right; (0, 4) for whole words.
    alone, last: int32 (256,), the id of each byte within a word and at its end; (0,) for whole words.
    words, word_begins, word_ids: all words one after another, uint8, in the order of their bytes; int32
        (W + 1,) where each begins; int32 (W,) their ids. Empty for byte pairs.
    """

    length: int
    begin: int
    end: int
    pad: int
    unknown: int
    special_texts: tuple[str, ...]
    special_ids: tuple[int, ...]
    special_normalized: tuple[bool, ...]
    literals: tuple[str, ...]
    characters: Characters
    merges: torch.Tensor
    alone: torch.Tensor
    last: torch.Tensor
    words: torch.Tensor
    word_begins: torch.Tensor
    word_ids: torch.Tensor

    @property
    def pairs(self) -> bool:
        """Whether it is a byte-pair encoding."""
        return len(self.merges) > 0

    def encode(self, text: str) -> list[int]:
        """The ids of a prompt, `length` of them. Raises DgqcError for text with half of a character in it."""
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DgqcError(
                f"The prompt's letter {error.start + 1} is none of Unicode's; give text in UTF-8."
            ) from None
        ids = [one for piece in self._split(text, False) for one in self._ids_of(piece)]
        kept = [self.begin, *ids[: self.length - 2], self.end]
        return kept + [self.pad] * (self.length - len(kept))

    def _ids_of(self, piece: str | int) -> Iterator[int]:
        if isinstance(piece, int):
            yield piece
            return
        text = self._normalized(piece) if self.pairs else piece
        for part in self._split(text, True):
            if isinstance(part, int):
                yield part
            elif self.pairs:
                for word in self._pieces(part):
                    yield from self._merged(word.encode())
            else:
                yield from (self._words.get(word, self.unknown) for word in self._between_spaces(part))

    def _split(self, text: str, normalized: bool) -> Iterator[str | int]:
        """Text, and ids of the special tokens in it; the first, and there the longest, counts."""
        wanted = [
            (one, number)
            for one, number, after in zip(
                self.special_texts, self.special_ids, self.special_normalized, strict=True
            )
            if after == normalized
        ]
        begin = place = 0
        while place < len(text):
            found = [pair for pair in wanted if text.startswith(pair[0], place)]
            if not found:
                place += 1
                continue
            token, number = max(found, key=lambda pair: len(pair[0].encode()))
            if begin < place:
                yield text[begin:place]
            yield number
            begin = place = place + len(token)
        if begin < len(text):
            yield text[begin:]

    def _normalized(self, text: str) -> str:
        """Composed, with one space for many, in small letters."""
        points: list[int] = []
        spaced = False
        for point in self.characters.composed_form([ord(one) for one in text]):
            space = self.characters.class_at(point) == SPACE
            if not space:
                points += self.characters.small(point)
            elif not spaced:
                points.append(ord(" "))
            spaced = space
        return "".join(map(chr, points))

    def _pieces(self, text: str) -> Iterator[str]:
        """Letters that follow each other, numbers one by one, ends of words, what is neither; no spaces."""
        classes = [self.characters.class_at(ord(one)) for one in text]
        place = stop = 0
        while place < len(text):
            if place >= stop:
                literal = next((one for one in self.literals if text.startswith(one, place)), None)
                stop = place if literal is None else place + len(literal)
            ending = next((one for one in CONTRACTIONS if text.startswith(one, place)), None)
            end = place + 1
            if ending is not None:
                end = place + len(ending)
            elif classes[place] != NUMBER:
                limit = stop if stop > place else len(text)
                while end < limit and classes[end] == classes[place]:
                    end += 1
            if classes[place] != SPACE:
                yield text[place:end]
            place = end

    def _merged(self, word: bytes) -> list[int]:
        """The tokens of a word: of all neighbours, those that rank first are merged, the left of equals."""
        alone, last = self._byte_ids
        tokens = [*(alone[byte] for byte in word[:-1]), last[word[-1]]]
        while len(tokens) > 1:
            ranks = [self._merges.get(pair) for pair in pairwise(tokens)]
            known = [(found[0], place) for place, found in enumerate(ranks) if found is not None]
            if not known:
                break
            _, place = min(known)
            merge = ranks[place]
            assert merge is not None
            tokens[place : place + 2] = [merge[1]]
        return tokens

    def _between_spaces(self, text: str) -> Iterator[bytes]:
        word: list[str] = []
        for one in [*text, " "]:
            if self.characters.class_at(ord(one)) != SPACE:
                word.append(one)
            elif word:
                yield "".join(word).encode()
                word = []

    @cached_property
    def _merges(self) -> dict[tuple[int, int], tuple[int, int]]:
        return {(left, right): (rank, result) for left, right, rank, result in self.merges.tolist()}

    @cached_property
    def _byte_ids(self) -> tuple[list[int], list[int]]:
        return self.alone.tolist(), self.last.tolist()

    @cached_property
    def _words(self) -> dict[bytes, int]:
        text, begins = bytes(self.words.tolist()), self.word_begins.tolist()
        words = [text[begin:end] for begin, end in pairwise(begins)]
        return dict(zip(words, self.word_ids.tolist(), strict=True))
