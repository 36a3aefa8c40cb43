"""The pipeline in a checkpoint in one file: its other parts, read when somebody draws with it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import diffusers
import torch

from ...ir.errors import DgqcError
from ...ir.reading import reading
from ..adapters.leaves import SECOND_TEXT
from ..schedules import scheduler_of
from .gguf_files import SUFFIX as GGUF
from .gguf_files import read_gguf
from .original_facts import COSXL, LATENT_DEVIATION, LATENT_MEAN
from .original_text import TEXT_PARTS, TextPart, text_encoder
from .original_vae import PREFIX, vae_in
from .pickles import read_pickle
from .pipelines import StoredPipeline, quietly
from .quantized_weights import dequantized
from .tokenizers import read_tokenizer
from .weight_files import read_safetensors

STARTS = (PREFIX, LATENT_MEAN, LATENT_DEVIATION, *(one.start for one in TEXT_PARTS))
"""What the names of all parts beside the UNet begin with."""
LATENT_SCALES = {"upscaler": 0.08333, "xl": 0.13025, "other": 0.18215}
"""What latents are multiplied by, as published: it stands in no file."""
ENDS: Mapping[int, str] = {4: "", 8: "InstructPix2Pix", 9: "Inpaint"}
"""Of pipelines' names, by how many channels a UNet takes: latents, another picture's too, a mask and that."""

WITH_DEPTH = 5
"""Channels of Stable Diffusion 2 for depth."""


@dataclass(frozen=True)
class OriginalPipeline(StoredPipeline):
    """A checkpoint in one file.

    config: of its UNet. scheduler: the config of who calls that. texts: its text encoders. tokenizer: the
    folder of one for them.
    """

    path: Path
    config: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    texts: tuple[TextPart, ...]
    tokenizer: Path

    @property
    def kind(self) -> Any:
        """Raises DgqcError where drawing needs a part that no checkpoint in one file has."""
        channels, form, anything = self.config["in_channels"], self._form, cast(Any, diffusers)
        if self.config.get("class_embed_type") == "projection":
            raise DgqcError(
                f"{self.path} draws after pictures, and what encodes these can't be taken from one file; "
                "leave out --tokenizer, or give a diffusers folder."
            )
        if form == "upscaler":
            return anything.StableDiffusionUpscalePipeline
        if form == "xl" and all(one.part == SECOND_TEXT for one in self.texts):
            return anything.StableDiffusionXLImg2ImgPipeline
        if channels == WITH_DEPTH:
            raise DgqcError(
                f"{self.path} draws after depth, and what estimates it can't be taken from one file; leave "
                "out --tokenizer, or give a diffusers folder."
            )
        if channels not in ENDS:
            raise DgqcError(
                f"{self.path} takes {channels} channels, and no pipeline of diffusers gives so many; leave "
                "out --tokenizer, or give a diffusers folder."
            )
        begin = "StableDiffusionXL" if form == "xl" else "StableDiffusion"
        return getattr(anything, f"{begin}{ENDS[channels]}Pipeline")

    @property
    def tokens(self) -> int:
        """What its tokenizer pads prompts to. Raises DgqcError for a folder without one."""
        return int(read_tokenizer(self.tokenizer, False).model_max_length)

    def built(self, parts: Mapping[str, Any]) -> Any:
        """Raises DgqcError where the file lacks a part, or the tokenizer isn't one for it."""
        with reading(f"The pipeline in {self.path}", "give a diffusers folder instead"), quietly():
            return self._made(self.kind, parts)

    def _made(self, kind: Any, parts: Mapping[str, Any]) -> Any:
        weights = part_weights(self.path)
        options: dict[str, Any] = {
            **self._encoders(weights),
            "vae": vae_in(weights, LATENT_SCALES[self._form], str(self.path)),
            "scheduler": scheduler_of(self.scheduler),
            "low_res_scheduler": cast(Any, diffusers).DDPMScheduler(),
            "requires_safety_checker": False,
            "requires_aesthetics_score": kind is cast(Any, diffusers).StableDiffusionXLImg2ImgPipeline,
            "is_cosxl_edit": self.scheduler["_class_name"] == COSXL["_class_name"],
            **parts,
        }
        taken = inspect.signature(kind).parameters
        absent = {name: None for name, one in taken.items() if one.default is inspect.Parameter.empty}
        given = {name: one for name, one in options.items() if name in taken}
        return kind(**{**absent, **given})

    @property
    def _form(self) -> str:
        if self.config.get("num_class_embeds"):
            return "upscaler"
        return "xl" if self.config.get("addition_embed_type") else "other"

    def _encoders(self, weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Text encoders and their tokenizers, by the names that pipelines have for them."""
        found: dict[str, Any] = {}
        for one in self.texts:
            name = one.part.replace("text_encoder", "tokenizer")
            found[name] = read_tokenizer(self.tokenizer, one.open, name)
            found[one.part] = text_encoder(one, weights, found[name], str(self.path))
        return found


def part_weights(path: Path) -> Mapping[str, torch.Tensor]:
    """The weights of all parts beside the UNet, by the file's names."""
    if path.suffix in (".safetensors", GGUF):
        tensors: Mapping[str, Any] = read_gguf(path) if path.suffix == GGUF else read_safetensors(path)
    else:
        pickled = read_pickle(path)
        tensors = pickled.get("state_dict", pickled)
    return dequantized({name: one for name, one in tensors.items() if name.startswith(STARTS)}, str(path))
