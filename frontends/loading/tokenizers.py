"""Tokenizers out of folders, for models that come without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from ...ir.errors import DgqcError
from ...ir.reading import explained
from .pipelines import VOCABULARIES, quietly

WANTED = "give the folder of a pipeline of the same kind, or of its tokenizer"


def tokenizer_folder(folder: Path, name: str = "tokenizer") -> Path | None:
    """Where a tokenizer lies in the folder of a pipeline, or in its own; None where none does."""
    places = (folder / name, folder) if name == "tokenizer" else (folder / name,)
    return next((one for one in places if any((one / file).is_file() for file in VOCABULARIES)), None)


def read_tokenizer(folder: Path, zero_pads: bool, name: str = "tokenizer") -> Any:
    """The tokenizer in a folder; no code from there is run.

    zero_pads: whether the text encoder was trained with prompts that token 0 pads, as OpenCLIP's are.
    name: of the one that is meant, where a pipeline has several; the first counts where there is one alone.
    Raises DgqcError where there is none, or one that can't be read.
    """
    place = tokenizer_folder(folder, name) or tokenizer_folder(folder)
    if place is None:
        raise DgqcError(f"{folder} holds no tokenizer ({', '.join(VOCABULARIES)}); {WANTED}.")
    anything: Any = AutoTokenizer
    with explained(f"transformers can't read the tokenizer in {place}", WANTED), quietly():
        found = anything.from_pretrained(place, local_files_only=True, trust_remote_code=False)
        if zero_pads:
            found.pad_token = found.convert_ids_to_tokens(0)
    return found
