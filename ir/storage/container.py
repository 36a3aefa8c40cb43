"""A folder with one JSON document and one safetensors file, which notices what happened to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file

from ..errors import DgqcError
from ..reading import reading
from .json_text import read_json_object
from .schema import JSON, Record, Sha256, checked
from .whole import whole_file, write_text

FORMAT = "dgqc-program"
VERSION = 2
"""Raised whenever an older dgqc could misread a program, or a program of an older one could be misread. 2 is
the first with images stored channels last at the integer level."""
DOCUMENT, TENSORS = "program.json", "program.safetensors"
DAMAGED = "it is damaged or truncated; save the program again"


class DocumentRecord(Record):
    """All of the document."""

    format: Literal["dgqc-program"]
    version: Literal[2]
    tensors_sha256: Sha256
    body_sha256: Sha256
    body: JSON


def write_container(folder: Path, body: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Writes a JSON value and tensors. Each file appears whole or not at all, the document last."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / TENSORS) as unfinished:
        save_file(_separate(tensors), str(unfinished))
        tensors_hash = _file_hash(unfinished)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "tensors_sha256": tensors_hash,
        "body_sha256": _body_hash(body),
        "body": body,
    }
    write_text(folder / DOCUMENT, json.dumps(document, indent=1, allow_nan=False))


def read_container(folder: Path) -> tuple[Any, dict[str, torch.Tensor]]:
    """The JSON value and the tensors.

    Raises DgqcError when a file is missing, truncated, altered, or of another version.
    """
    document = _document(folder / DOCUMENT)
    path = folder / TENSORS
    if not path.is_file():
        raise DgqcError(f"{folder} holds no {TENSORS}, which a saved program needs; copy the whole folder.")
    if _file_hash(path) != document.tensors_sha256:
        raise DgqcError(f"{path} was altered or truncated since it was saved; copy or save it again.")
    with reading(str(path), "it is damaged; save the program again"):
        return document.body, load_file(str(path))


def _document(path: Path) -> DocumentRecord:
    if path.parent.is_file():
        raise DgqcError(f"{path.parent} is a file, but a saved program is a folder.")
    if not path.is_file():
        raise DgqcError(
            f"{path.parent} holds no {path.name}, so it isn't a saved program; give a folder that holds one."
        )
    document = read_json_object(path, DAMAGED)
    if document.get("format") != FORMAT:
        raise DgqcError(f"{path} isn't a program that dgqc saved: it should say it is {FORMAT!r}.")
    version = document.get("version")
    if version != VERSION:
        older = isinstance(version, int) and version < VERSION
        remedy = "compile the model again" if older else "update dgqc"
        raise DgqcError(
            f"{path} has the format version {version}, but this dgqc reads version {VERSION}; {remedy}."
        )
    record = checked(DocumentRecord, document, str(path), DAMAGED)
    if _body_hash(record.body) != record.body_sha256:
        raise DgqcError(f"{path} was altered since it was saved; save the program again.")
    return record


def _body_hash(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _separate(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous tensors, none of which shares memory with another, as safetensors wants them."""
    taken: set[int] = set()
    result = {}
    for key, value in tensors.items():
        plain = value.detach().cpu().contiguous()
        storage = plain.untyped_storage()
        if storage.data_ptr() in taken or storage.nbytes() != plain.nbytes:
            plain = plain.clone()
        taken.add(plain.untyped_storage().data_ptr())
        result[key] = plain
    return result
