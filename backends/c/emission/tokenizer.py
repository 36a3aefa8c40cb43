"""A tokenizer as C: `NAME_tokenizer.h`, `NAME_tokenizer.c`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import torch

from ....ir.tokenizer import Tokenizer
from .literals import values

NUMBERS_A_BYTE, MORE_NUMBERS = 14, 64
"""Of the memory that byte pairs take: `DGQC_NUMBERS_A_BYTE`, `DGQC_MORE_NUMBERS`."""
SMALL, LARGE = "uint16_t", "int32_t"


def write_tokenizer(
    environment: jinja2.Environment, tokenizer: Tokenizer, directory: Path, name: str
) -> None:
    """Writes both files into a project's `include` and `src`."""
    tables = [(item, kind, table) for item, kind, table in _tables(tokenizer) if table.numel()]
    context = {
        "name": name,
        "upper": name.upper(),
        "tokenizer": tokenizer,
        "numbers": (NUMBERS_A_BYTE, MORE_NUMBERS) if tokenizer.pairs else (0, MORE_NUMBERS),
        "tables": [(item, kind, values(table.to(torch.int32))) for item, kind, table in tables],
        "texts": {
            "special": [_text(one) for one in tokenizer.special_texts],
            "literal": [_text(one) for one in tokenizer.literals],
        },
        "counts": _counts(tokenizer),
        "has": {item for item, _, _ in tables},
    }
    for template, path in (
        ("tokenizer.h", directory / "include" / f"{name}_tokenizer.h"),
        ("tokenizer.c", directory / "src" / f"{name}_tokenizer.c"),
    ):
        text = environment.get_template(f"{template}.jinja").render(context)
        path.write_text(text, encoding="utf-8", newline="\n")


def _tables(tokenizer: Tokenizer) -> list[tuple[str, str, torch.Tensor]]:
    """Name, type and numbers of every table, those of characters first."""
    characters, merges = tokenizer.characters, tokenizer.merges
    return [
        ("class_from", LARGE, characters.class_from),
        ("class_of", LARGE, characters.class_of),
        ("small_from", LARGE, characters.small_from),
        ("small_to", LARGE, characters.small_to.flatten()),
        ("parts_from", LARGE, characters.parts_from),
        ("parts_to", LARGE, characters.parts_to.flatten()),
        ("composed", LARGE, characters.composed),
        ("marks_from", LARGE, characters.marks_from),
        ("mark_of", LARGE, characters.mark_of),
        ("special_ids", LARGE, torch.tensor(tokenizer.special_ids, dtype=torch.int32)),
        ("special_normalized", "uint8_t", torch.tensor(tokenizer.special_normalized, dtype=torch.uint8)),
        ("merge_left", SMALL, merges[:, 0]),
        ("merge_right", SMALL, merges[:, 1]),
        ("merge_rank", SMALL, merges[:, 2]),
        ("merge_result", SMALL, merges[:, 3]),
        ("alone", SMALL, tokenizer.alone),
        ("last", SMALL, tokenizer.last),
        ("word_text", "uint8_t", tokenizer.words),
        ("word_begins", LARGE, tokenizer.word_begins),
        ("word_ids", LARGE, tokenizer.word_ids),
    ]


def _counts(tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    characters = tokenizer.characters
    return {
        "characters": {
            "classes": len(characters.class_from),
            "smalls": len(characters.small_from),
            "parts": len(characters.parts_from),
            "composes": len(characters.composed),
            "marks": len(characters.marks_from),
        },
        "tokenizer": {
            "length": tokenizer.length,
            "begin": tokenizer.begin,
            "end": tokenizer.end,
            "pad": tokenizer.pad,
            "unknown": tokenizer.unknown,
            "specials": len(tokenizer.special_ids),
            "literals": len(tokenizer.literals),
            "merges": len(tokenizer.merges),
            "words": len(tokenizer.word_ids),
        },
    }


def _text(text: str) -> str:
    """A C string of any text, in octal where it isn't a plain letter."""
    plain = set(range(32, 127)) - set(b'"?\\')
    letters = (chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode())
    return f'"{"".join(letters)}"'
