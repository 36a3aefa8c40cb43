"""Prompts for a pipeline that nobody gave any: everyday captions, or words that its tokenizer knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from ..loading.pipelines import unknown_words

FILE = Path(__file__).with_name("captions.txt")
"""One a line, of things, scenes and styles that people ask for; ours."""
FEWEST_WORDS, MOST_WORDS = 3, 12
"""Of a prompt made of a tokenizer's own words."""


@cache
def everyday_captions() -> tuple[str, ...]:
    """All of them, in the file's order."""
    return tuple(FILE.read_text(encoding="utf-8").splitlines())


def prompts_for(tokenizer: Any, count: int, seed: int) -> list[str]:
    """So many prompts for a text encoder behind this tokenizer.

    Everyday captions in an order that depends on the seed, again from the first where more are asked for.
    A tokenizer that doesn't know their words would make most of them the same prompt; it gets words of its
    vocabulary instead, as many as captions have, in no order.
    """
    generator = torch.Generator().manual_seed(seed)
    captions = everyday_captions()
    if tells_apart(tokenizer, captions):
        order = torch.randperm(len(captions), generator=generator).tolist()
        return [captions[order[i % len(captions)]] for i in range(count)]
    words = sorted(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))
    return [_phrase(words, generator) for _ in range(count)]


def tells_apart(tokenizer: Any, captions: Sequence[str]) -> bool:
    """Whether a tokenizer knows all words of the captions, or spells those that it does not know.

    True without a tokenizer, and for what is called like none: pipelines may read prompts in other ways.
    """
    if not hasattr(tokenizer, "get_vocab"):
        return True
    if unknown_words(tokenizer, captions):
        return False
    return len({tuple(tokenizer(caption).input_ids) for caption in captions}) == len(captions)


def _phrase(words: Sequence[str], generator: torch.Generator) -> str:
    length = int(torch.randint(FEWEST_WORDS, MOST_WORDS + 1, (), generator=generator))
    return " ".join(words[int(torch.randint(len(words), (), generator=generator))] for _ in range(length))
