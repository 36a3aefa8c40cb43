"""What a pipeline's folder says of its UNet's surroundings: scheduler, tokens, text embeddings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...ir.errors import DgqcError
from ...ir.storage.json_text import read_json_object

log = logging.getLogger("dgqc")

LONGEST_PROMPT = 100_000
"""Tokenizers without a limit say a number with thirty digits."""
CLIP = ("clip_text_model", "clip")
"""Kinds of text encoders whose positions are the tokens of a prompt. BERT and RoBERTa have more positions
than any prompt gets tokens."""


@dataclass(frozen=True)
class PipelineFacts:
    """What is known; None where it is not.

    scheduler: the configuration of the scheduler that diffusers builds.
    context_length: tokens per prompt. text_width: numbers of a pooled text embedding.
    """

    scheduler: dict[str, Any] | None = None
    context_length: int | None = None
    text_width: int | None = None


def pipeline_facts(folder: Path | None) -> PipelineFacts:
    """The facts of a pipeline's folder; None gives none. Raises DgqcError for a damaged file."""
    if folder is None:
        return PipelineFacts()
    second = _config(folder / "text_encoder_2") or {}
    width = second.get("projection_dim")
    return PipelineFacts(_scheduler(folder), _tokens(folder), width if isinstance(width, int) else None)


def _scheduler(folder: Path) -> dict[str, Any] | None:
    path = folder / "scheduler" / "scheduler_config.json"
    if not path.is_file():
        return None
    config = read_json_object(path)
    entry = read_json_object(folder / "model_index.json").get("scheduler")
    named = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
    if isinstance(named, str) and named != config.get("_class_name"):
        log.warning(
            "%s has a %s in model_index.json and a %s in its scheduler's config; diffusers takes the first.",
            folder,
            named,
            config.get("_class_name"),
        )
        return {**config, "_class_name": named}
    return config


def _tokens(folder: Path) -> int | None:
    """What the pipeline pads prompts to: the tokenizer's length, or that of CLIP's positions."""
    encoder = _config(folder / "text_encoder") or {}
    found = encoder.get("max_position_embeddings")
    positions = found if encoder.get("model_type") in CLIP and isinstance(found, int) else None
    path = folder / "tokenizer" / "tokenizer_config.json"
    length = read_json_object(path).get("model_max_length") if path.is_file() else None
    if isinstance(length, int) and 1 <= length <= LONGEST_PROMPT:
        if positions is not None and length > positions:
            raise DgqcError(
                f"{folder}: the tokenizer gives {length} tokens, but the text encoder takes {positions}; "
                "give a pipeline whose parts belong together."
            )
        return length
    return positions


def _config(part: Path) -> dict[str, Any] | None:
    path = part / "config.json"
    return read_json_object(path) if path.is_file() else None
