"""A transformers tokenizer as tables: what it does is read off its own description, and asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...ir.errors import DgqcError
from ...ir.tokenizer import Tokenizer
from ...ir.unicode import Characters
from .character_tables import characters_of, spaces_of

CLIP_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "NFC"},
        {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
        {"type": "Lowercase"},
    ],
}
CLIP_WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
CLIP_LITERALS = ("<|startoftext|>", "<|endoftext|>")
MOST_TOKENS = 2**16
INSTEAD = "give token ids of your own, or a pipeline with CLIP's tokenizer or one of whole words"


def token_tables(tokenizer: Any) -> Tokenizer:
    """The tables of a tokenizer of transformers.

    Raises DgqcError for one that is neither CLIP's byte-pair encoding nor whole words between spaces.
    """
    name = type(tokenizer).__name__
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise DgqcError(f"A {name} has no tables that could be read; {INSTEAD}.")
    told = json.loads(backend.to_str())
    length = int(tokenizer.model_max_length)
    if not 2 <= length <= 2**16:
        raise DgqcError(f"A {name} takes {length} tokens, but a program needs 2 to 65536; {INSTEAD}.")
    added = list(told["added_tokens"])
    if strange := next((one for one in added if one["lstrip"] or one["rstrip"] or one["single_word"]), None):
        raise DgqcError(f"A {name} takes spaces beside {strange['content']} away; {INSTEAD}.")
    begin, end = _ends(told["post_processor"], name)
    model: Mapping[str, Any] = told["model"]
    tables = _pairs(told, name) if model["type"] == "BPE" else _words(told, name)
    if len(tokenizer) > MOST_TOKENS:
        many = len(tokenizer)
        raise DgqcError(f"A {name} has {many} tokens, but a program knows {MOST_TOKENS}; {INSTEAD}.")
    unknown = model["vocab"].get(model.get("unk_token"), tokenizer.unk_token_id)
    return Tokenizer(
        length,
        begin,
        end,
        int(tokenizer.pad_token_id),
        int(unknown),
        tuple(str(one["content"]) for one in added),
        tuple(int(one["id"]) for one in added),
        tuple(bool(one["normalized"]) for one in added),
        *tables,
    )


def _ends(told: Any, name: str) -> tuple[int, int]:
    """The ids that each prompt begins and ends with."""
    if told and told["type"] == "RobertaProcessing":
        return int(told["cls"][1]), int(told["sep"][1])
    if told and told["type"] == "TemplateProcessing":
        parts = [next(iter(one.items())) for one in told["single"]]
        if [kind for kind, _ in parts] == ["SpecialToken", "Sequence", "SpecialToken"]:
            first, last = (told["special_tokens"][parts[place][1]["id"]]["ids"] for place in (0, 2))
            if len(first) == len(last) == 1:
                return int(first[0]), int(last[0])
    raise DgqcError(f"A {name} doesn't put one token before a prompt and one behind; {INSTEAD}.")


Tables = tuple[
    tuple[str, ...],
    Characters,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
]


def _pairs(told: Mapping[str, Any], name: str) -> Tables:
    """Of CLIP's byte-pair encoding."""
    model, splits = told["model"], (told["pre_tokenizer"] or {}).get("pretokenizers", ())
    regex = splits[0].get("pattern", {}).get("Regex", "") if len(splits) == 2 else ""
    literals = "".join(re.escape(one) + "|" for one in CLIP_LITERALS)
    alike = (
        told["normalizer"] == CLIP_NORMALIZER
        and regex.removeprefix(literals) == CLIP_WORDS
        and splits[1]["type"] == "ByteLevel"
        and not splits[1]["add_prefix_space"]
        and model["end_of_word_suffix"] == "</w>"
        and not model["continuing_subword_prefix"]
        and not model.get("dropout")
        and not model.get("ignore_merges")
    )
    if not alike:
        raise DgqcError(f"A {name} of byte pairs doesn't cut text as CLIP's does; {INSTEAD}.")
    ids: Mapping[str, int] = model["vocab"]
    letters = _byte_letters()
    missing = next((one for one in letters if one not in ids or f"{one}</w>" not in ids), None)
    if missing is not None:
        raise DgqcError(f"A {name} has no token for the byte {letters.index(missing)}; {INSTEAD}.")
    pairs = [one if isinstance(one, list) else one.split(" ") for one in model["merges"]]
    rows = sorted(
        (ids[left], ids[right], rank, ids[left + right]) for rank, (left, right) in enumerate(pairs)
    )
    empty = _integers([])
    return (
        CLIP_LITERALS if regex.startswith(literals) else (),
        characters_of(),
        _integers(rows).reshape(-1, 4),
        _integers([ids[one] for one in letters]),
        _integers([ids[f"{one}</w>"] for one in letters]),
        torch.zeros(0, dtype=torch.uint8),
        empty,
        empty,
    )


def _words(told: Mapping[str, Any], name: str) -> Tables:
    """Of whole words between spaces."""
    model = told["model"]
    if (
        model["type"] != "WordLevel"
        or told["normalizer"]
        or told["pre_tokenizer"] != {"type": "WhitespaceSplit"}
    ):
        raise DgqcError(f"A {name} is neither CLIP's byte pairs nor whole words between spaces; {INSTEAD}.")
    words = sorted((word.encode(), int(number)) for word, number in model["vocab"].items())
    begins = [0]
    for word, _ in words:
        begins.append(begins[-1] + len(word))
    empty = _integers([])
    return (
        (),
        spaces_of(),
        empty.reshape(0, 4),
        empty,
        empty,
        torch.tensor(list(b"".join(word for word, _ in words)), dtype=torch.uint8),
        _integers(begins),
        _integers([number for _, number in words]),
    )


def _byte_letters() -> list[str]:
    """The letter that stands for each byte: itself where it prints, else the next free one from 256 on."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(256))
    return [chr(byte) if byte in shown else chr(256 + next(others)) for byte in range(256)]


def _integers(values: Sequence[Any]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)
