"""Diffusers pipelines from folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import transformers
from diffusers import DiffusionPipeline

from ...ir.errors import DgqcError
from ...ir.storage.json_text import read_json_object

LIBRARIES = frozenset({None, "diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl"})
"""Where a pipeline's parts may come from; others would be imported by name from the pipeline's folder."""


def load_pipeline(folder: Path) -> Any:
    """A diffusers pipeline without its safety checker; no code from the folder is run.

    Raises DgqcError for a folder that is none, or whose parts come from elsewhere or can't be loaded.
    """
    if not (folder / "model_index.json").is_file():
        raise DgqcError(f"{folder} has no model_index.json; give the folder of a diffusers pipeline.")
    index = read_json_object(folder / "model_index.json")
    for name, value in index.items():
        foreign = isinstance(value, list) and value and value[0] not in LIBRARIES
        if foreign or (name == "_class_name" and not isinstance(value, str)):
            raise DgqcError(
                f"{folder / 'model_index.json'} takes its {name} from code of its own ({value}), which is "
                "not run; give a pipeline made of diffusers and transformers."
            )
    # Null parts must be given, and what is compared should not depend on a checker's opinion.
    absent = {name: None for name, value in index.items() if isinstance(value, list) and value[0] is None}
    if "safety_checker" in index:
        absent["safety_checker"] = None
    try:
        anything: Any = DiffusionPipeline
        with quietly():
            return anything.from_pretrained(folder, local_files_only=True, **absent)
    except Exception as error:
        # Any part of a pipeline may be damaged in its own way.
        reason = str(error).strip().splitlines()
        raise DgqcError(
            f"diffusers can't load the pipeline {folder}: {reason[0] if reason else type(error).__name__}."
        ) from error


def unknown_words(tokenizer: Any, prompts: Sequence[str]) -> list[str]:
    """The prompts' words for which a tokenizer has nothing but its token for unknown ones, each once.

    A tokenizer without such a token, or with one that also ends or pads prompts (CLIP's), spells every word.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None or unknown in (tokenizer.eos_token_id, tokenizer.pad_token_id):
        return []
    words = dict.fromkeys(word for prompt in prompts for word in prompt.split())
    return [w for w in words if unknown in tokenizer(w, add_special_tokens=False).input_ids]


@contextmanager
def quietly() -> Iterator[None]:
    """Keeps the libraries' own progress bars, and their advice on packages and types, off the terminal."""
    libraries: list[Any] = [diffusers.utils.logging, transformers.utils.logging]
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, verbosity, bars in before:
            library.set_verbosity(verbosity)
            if bars:
                library.enable_progress_bar()
