"""Diffusers pipelines from folders."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline
from torch import nn

from ...ir.errors import DgqcError, one_line
from ...ir.reading import explained
from ..adapters.adapter import Adapter
from ..adapters.adapter_file import read_adapter
from ..adapters.leaves import SECOND_TEXT, TEXT
from ..adapters.merge import merge_adapters
from .picture_encoders import PictureEncoder
from .pipeline_records import PipelineIndexRecord, read_record
from .weight_files import variants_in

LIBRARIES = frozenset(
    {None, "diffusers", "transformers", *(one.name for one in iter_modules(diffusers.pipelines.__path__))}
)
"""Where a pipeline's parts may come from, those of diffusers' own pipelines among them; others would be
imported by name from the pipeline's folder."""

VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")


@dataclass(frozen=True, kw_only=True)
class StoredPipeline(ABC):
    """A pipeline that lies in a folder or a file, around a UNet that is read by itself.

    adapters: merged into its text encoders, as they are into its UNet by whoever loads that.
    encoder: what reads pictures for the IP-Adapters that whoever loads its UNet gives that.
    """

    adapters: tuple[Adapter, ...] = ()
    encoder: PictureEncoder | None = None

    @property
    @abstractmethod
    def kind(self) -> Any:
        """The pipeline's class. Raises DgqcError where diffusers has none for it."""

    @abstractmethod
    def built(self, parts: Mapping[str, Any]) -> Any:
        """The pipeline before adapters. parts: those that are there already, by name."""

    def load(self, parts: Mapping[str, Any] | None = None) -> Any:
        """The pipeline. parts: as for `built`. Raises DgqcError for parts that can't be loaded."""
        loaded = self.built(parts or {})
        encoders = {name: getattr(loaded, name, None) for name in (TEXT, SECOND_TEXT)}
        if found := {name: one for name, one in encoders.items() if one is not None}:
            merge_adapters(found, [read_adapter(one) for one in self.adapters])
        if self.encoder is not None:
            with quietly():
                self.encoder.put_into(loaded)
        return loaded


@dataclass(frozen=True)
class PipelineFolder(StoredPipeline):
    """A diffusers pipeline's folder, and what is meant of it.

    variant: of its parts' weights, where they have it; None takes what there is.
    """

    path: Path
    variant: str | None = None

    @property
    def kind(self) -> Any:
        record, _ = read_record(self.path / "model_index.json", PipelineIndexRecord)
        kind = getattr(diffusers, str(record.class_name), None)
        if not (isinstance(kind, type) and issubclass(kind, DiffusionPipeline)):
            raise DgqcError(
                f"{self.path} is a {one_line(str(record.class_name), 100)}, which diffusers "
                f"{diffusers.__version__} has not; update diffusers, or give the UNet's folder."
            )
        return kind

    def built(self, parts: Mapping[str, Any]) -> Any:
        return load_pipeline(self.path, parts, self.variant)


def load_pipeline(folder: Path, parts: Mapping[str, Any] | None = None, variant: str | None = None) -> Any:
    """A diffusers pipeline without its safety checker; no code from the folder is run.

    parts: those that are there already, by name; None for one that is not needed. variant: of the others'
        weights, as far as they have it; None takes the only one that there is.
    Raises DgqcError for a folder that is none, or whose parts come from elsewhere or can't be loaded.
    """
    index = checked_index(folder)
    given = dict(parts or {})
    _check_tokenizers(folder, {name: value for name, value in index.items() if name not in given})
    # Null parts must be given, and what is compared should not depend on a checker's opinion.
    absent = {name: None for name, value in index.items() if isinstance(value, list) and value[0] is None}
    if "safety_checker" in index:
        absent["safety_checker"] = None
    options = {**absent, **given, "variant": _variant(folder, variant)}
    anything: Any = DiffusionPipeline
    with explained(f"diffusers can't load the pipeline {folder}", "copy or save it again"), quietly():
        return anything.from_pretrained(folder, local_files_only=True, **options).to(torch.float32)


def checked_index(folder: Path) -> dict[str, Any]:
    """`model_index.json`. Raises DgqcError where there is none, or where parts come from elsewhere."""
    if not (folder / "model_index.json").is_file():
        raise DgqcError(f"{folder} has no model_index.json; give the folder of a diffusers pipeline.")
    _, index = read_record(folder / "model_index.json", PipelineIndexRecord)
    for name, value in index.items():
        if fault := _foreign(name, value):
            raise DgqcError(
                f"{folder / 'model_index.json'} takes its {name} from {fault}, which is not run; give a "
                "pipeline made of diffusers and transformers."
            )
    return index


def built_scheduler(folder: Path, unet: nn.Module) -> dict[str, Any]:
    """The configuration of the scheduler that a pipeline has once it is built, with its class.

    Pipelines change settings as they are built: Stable Diffusion's makes steps_offset 1. No other part is
    loaded. Raises DgqcError as `load_pipeline` does, and for a pipeline without a scheduler.
    """
    _, index = read_record(folder / "model_index.json", PipelineIndexRecord)
    others: dict[str, Any] = {
        name: None
        for name, value in index.items()
        if isinstance(value, list) and name not in ("scheduler", "unet")
    }
    scheduler = load_pipeline(folder, {**others, "unet": unet}).scheduler
    if scheduler is None:
        raise DgqcError(f"The pipeline {folder} has no scheduler; name one with --scheduler.")
    return {**scheduler.config, "_class_name": type(scheduler).__name__}


def _foreign(name: str, value: Any) -> str | None:
    """Where a part would come from, other than the two libraries; None for a part that may be loaded."""
    if name == "_class_name":
        return None if isinstance(value, str) and value.isidentifier() else "code of its own"
    if not isinstance(value, list):
        return None
    if value[0] in LIBRARIES and (value[1] is None or value[1].isidentifier()):
        return None
    return f"code of its own ({one_line(str(value), 100)})"


def _variant(folder: Path, wanted: str | None) -> str | None:
    """What other parts than the UNet are read as; a variant may be the UNet's alone."""
    parts = [path for path in folder.iterdir() if path.is_dir()]
    known = wanted is not None and any(wanted in variants_in(one) for one in parts)
    return wanted if known else _only_variant(folder)


def _only_variant(folder: Path) -> str | None:
    """The variant, such as fp16, where a part's weights come as that only."""
    for part in sorted(path for path in folder.iterdir() if path.is_dir()):
        if (variants := variants_in(part)) and variants[0]:
            return variants[0]
    return None


def _check_tokenizers(folder: Path, index: Mapping[str, Any]) -> None:
    """Raises DgqcError for a tokenizer without a vocabulary, of which the libraries say something else."""
    for name, value in index.items():
        if not name.startswith("tokenizer") or not isinstance(value, list) or value[0] is None:
            continue
        place = folder / name
        if not any((place / file).is_file() for file in VOCABULARIES):
            raise DgqcError(
                f"The pipeline's {name} has no vocabulary: {place} holds none of {', '.join(VOCABULARIES)}; "
                "download the whole folder."
            )


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
    """Keeps the libraries' own progress bars, and their advice on packages, types and settings, off the
    terminal."""
    libraries: list[Any] = [diffusers.utils.logging, transformers.utils.logging]
    before = [(library, library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # What a pipeline changes in its scheduler, it says as a FutureWarning.
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for library, verbosity, bars in before:
            library.set_verbosity(verbosity)
            if bars:
                library.enable_progress_bar()
