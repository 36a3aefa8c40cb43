"""The name of some content: what it was made from, as a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import fx


def content_hash(*parts: Any) -> str:
    """SHA-256 in hexadecimal of tensors, dataclasses, mappings, sequences and plain values.

    Values of different content have different hashes, whatever object holds them.
    """
    found = hashlib.sha256()
    _feed(found, parts)
    return found.hexdigest()


def structure(nodes: Sequence[fx.Node]) -> list[str]:
    """What nodes compute from what, as text."""
    return [f"{node.name} = {node.target} {node.args} {node.kwargs}" for node in nodes]


def _feed(found: Any, part: Any) -> None:
    if isinstance(part, torch.Tensor):
        found.update(f"tensor {part.dtype} {tuple(part.shape)}:".encode())
        found.update(part.detach().cpu().contiguous().numpy().tobytes())
    elif is_dataclass(part) and not isinstance(part, type):
        found.update(f"{type(part).__name__}(".encode())
        for item in fields(part):
            found.update(f"{item.name}=".encode())
            _feed(found, getattr(part, item.name))
    elif isinstance(part, Mapping):
        found.update(f"mapping {len(part)}:".encode())
        for key in sorted(part):
            _feed(found, key)
            _feed(found, part[key])
    elif isinstance(part, Sequence) and not isinstance(part, str):
        found.update(f"sequence {len(part)}:".encode())
        for item in part:
            _feed(found, item)
    else:
        found.update(f"{type(part).__name__} {part!r};".encode())
