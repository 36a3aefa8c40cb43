"""What a pipeline's folder says of its UNet's surroundings: scheduler, tokens, text embeddings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...ir.errors import DgqcError
from .pipeline_records import (
    EncoderRecord,
    PipelineIndexRecord,
    SchedulerRecord,
    TokenizerRecord,
    read_record,
)

log = logging.getLogger("dgqc")

LONGEST_PROMPT = 100_000
"""Tokenizers without a limit say a number with thirty digits."""
CLIP = ("clip_text_model", "clip")
"""Kinds of text encoders whose positions are the tokens of a prompt, and whose hidden states are the context.
BERT and RoBERTa have more positions than any prompt gets tokens."""


@dataclass(frozen=True)
class PipelineFacts:
    """What is known; None where it is not.

    scheduler: the configuration of the scheduler that diffusers builds.
    context_length: tokens per prompt. context_width: numbers of a token, of all text encoders together.
    text_width: numbers of a pooled text embedding.
    """

    scheduler: dict[str, Any] | None = None
    context_length: int | None = None
    context_width: int | None = None
    text_width: int | None = None


def pipeline_facts(folder: Path | None) -> PipelineFacts:
    """The facts of a pipeline's folder; None gives none. Raises DgqcError for a damaged file."""
    if folder is None:
        return PipelineFacts()
    first, second = _encoder(folder / "text_encoder"), _encoder(folder / "text_encoder_2")
    return PipelineFacts(
        _scheduler(folder),
        _tokens(folder, first),
        _context_width([one for one in (first, second) if one is not None]),
        second.projection_dim if second else None,
    )


def _scheduler(folder: Path) -> dict[str, Any] | None:
    path = folder / "scheduler" / "scheduler_config.json"
    if not path.is_file():
        return None
    record, config = read_record(path, SchedulerRecord)
    index, _ = read_record(folder / "model_index.json", PipelineIndexRecord)
    named = index.scheduler[1] if index.scheduler else None
    if named is not None and named != record.class_name:
        log.warning(
            "%s has a %s in model_index.json and a %s in its scheduler's config; diffusers takes the first.",
            folder,
            named,
            record.class_name,
        )
        return {**config, "_class_name": named}
    return config


def _tokens(folder: Path, encoder: EncoderRecord | None) -> int | None:
    """What the pipeline pads prompts to: the tokenizer's length, or that of CLIP's positions."""
    positions = encoder.max_position_embeddings if encoder and encoder.model_type in CLIP else None
    path = folder / "tokenizer" / "tokenizer_config.json"
    length = read_record(path, TokenizerRecord)[0].model_max_length if path.is_file() else None
    if isinstance(length, int) and 1 <= length <= LONGEST_PROMPT:
        if positions is not None and length > positions:
            raise DgqcError(
                f"{folder}: the tokenizer gives {length} tokens, but the text encoder takes {positions}; "
                "give a pipeline whose parts belong together."
            )
        return length
    return positions


def _context_width(encoders: list[EncoderRecord]) -> int | None:
    """CLIP's hidden states lie side by side in the context; other encoders may be projected first."""
    if not encoders or not all(one.model_type in CLIP and one.hidden_size for one in encoders):
        return None
    return sum(one.hidden_size or 0 for one in encoders)


def _encoder(part: Path) -> EncoderRecord | None:
    path = part / "config.json"
    return read_record(path, EncoderRecord)[0] if path.is_file() else None
