"""Embeddings that somebody made already: what pipelines take in the place of prompts, or beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch

from ...ir.errors import DgqcError
from ...ir.reading import reading
from ..loading.weight_files import read_safetensors

PROMPTS, NEGATIVE = "prompt_embeds", "negative_prompt_embeds"
FACES = "ip_adapter_image_embeds"
"""What an IP-Adapter reads; with several, the names end with their numbers."""
FORMS = (
    "give a .safetensors whose tensors are called as the pipeline's arguments (prompt_embeds, "
    "negative_prompt_embeds and so on), or a .npy of prompt_embeds; the first axis counts pictures, the "
    "second tokens"
)


@dataclass(frozen=True)
class Embeddings:
    """By the name of a pipeline's argument, (N, ...) of N pictures; fewer begin again."""

    tensors: Mapping[str, torch.Tensor]

    @property
    def count(self) -> int:
        """Pictures."""
        return max(len(one) for one in self.tensors.values())

    @property
    def prompted(self) -> bool:
        """Whether they stand for prompts."""
        return PROMPTS in self.tensors

    def row(self, index: int) -> Mapping[str, torch.Tensor]:
        """Those of one picture, without the first axis."""
        return {name: one[index % len(one)] for name, one in self.tensors.items()}


def read_embeddings(path: Path) -> Embeddings:
    """What a file holds, floats as float32. Raises DgqcError where it can't be read or used."""
    if not path.is_file():
        raise DgqcError(f"{path} does not exist; {FORMS}.")
    with reading(str(path), FORMS):
        if path.suffix == ".npy":
            found = {PROMPTS: torch.from_numpy(numpy.load(path, allow_pickle=False))}
        elif path.suffix == ".safetensors":
            found = read_safetensors(path)
        else:
            raise DgqcError(f"{path} is no file of embeddings; {FORMS}.")
    for name, one in found.items():
        if one.dim() < (3 if name in (PROMPTS, NEGATIVE) else 2) or not one.numel() or one.is_complex():
            raise DgqcError(f"{path}: {name} has shape {tuple(one.shape)}; {FORMS}.")
        if one.is_floating_point() and not bool(torch.isfinite(one).all()):
            raise DgqcError(f"{path}: {name} holds NaN or infinite values; give a file without.")
    if not found:
        raise DgqcError(f"{path} holds nothing; {FORMS}.")
    floats = {name: one.float() if one.is_floating_point() else one for name, one in found.items()}
    return Embeddings(floats)


def arguments_of(rows: list[Mapping[str, torch.Tensor]], guided: bool) -> dict[str, Any]:
    """What a pipeline is called with for some pictures. guided: whether it also wants what leads away."""
    found: dict[str, Any] = {}
    faces: list[torch.Tensor] = []
    for name in sorted(rows[0]):
        together = torch.stack([one[name] for one in rows])
        if not name.startswith(FACES):
            found[name] = together
            continue
        # As many pictures of a face as there are: (1, pictures, numbers), zeros in front where it guides.
        each = together.reshape(len(rows), -1, together.shape[-1])
        faces.append(torch.cat([torch.zeros_like(each), each]) if guided else each)
    return {**found, FACES: faces} if faces else found
