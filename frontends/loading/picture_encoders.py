"""What reads pictures for a pipeline's IP-Adapters: an image encoder's folder, beside the adapters' files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from diffusers.models.embeddings import ImageProjection, IPAdapterFaceIDImageProjection
from torch import nn

from ...ir.errors import DgqcError, one_line
from ...ir.reading import explained
from ...ir.storage.json_text import read_json_object
from .conditionings import picture_projections
from .model_inputs import ModelInput

EMBEDDED = "projection_dim"
"""What its config calls the numbers of a whole picture's embedding."""
KIND = "clip_vision_model"
"""What its config calls itself."""
BESIDE = ("image_encoder", "../image_encoder", "../models/image_encoder")
"""Where repositories of adapters have theirs, from a file's own folder."""


PATCHES = 257
"""Of a picture, its class among them, as every published encoder for an IP-Adapter has them."""


def shown_inputs(model: nn.Module) -> tuple[ModelInput, ...]:
    """What IP-Adapters are given of one picture, where no call shows it: one input for each of them."""
    found: list[ModelInput] = []
    for number, one in enumerate(picture_projections(model)):
        anything: Any = one
        wanted = _wanted(one)
        width = anything.ff.net[0].proj.in_features if wanted is None else wanted[1]
        patches = () if wanted is None or wanted[0] == EMBEDDED else (PATCHES,)
        found.append(ModelInput(f"image_embeds_{number}", (1, 1, *patches, width)))
    return tuple(found)


@dataclass(frozen=True)
class PictureEncoder:
    """Where a pipeline's image encoder comes from, if it has none that fits.

    folder: as somebody named it. files: of the adapters, beside which it may lie.
    """

    folder: Path | None
    files: tuple[Path, ...]

    def put_into(self, pipeline: Any) -> None:
        """Gives the pipeline an image encoder for the adapters of its UNet.

        Raises DgqcError where none is found that fits them, and for a pipeline that has no place for it.
        """
        wanted = [one for one in map(_wanted, picture_projections(pipeline.unet)) if one is not None]
        if not wanted:
            return  # Adapters of faces are given embeddings.
        name = type(pipeline).__name__
        if "image_encoder" not in pipeline.components:
            raise DgqcError(f"A {name} shows its UNet no pictures; leave out --ip-adapter.")
        own = pipeline.image_encoder
        if self.folder is None and own is not None and _fits(own.config, wanted):
            return
        encoder = _read(self._found(wanted))
        if not _fits(encoder.config, wanted):
            what = wanted[0][0]
            raise DgqcError(
                f"{self.folder} gives pictures as a {what} of {getattr(encoder.config, what)}, and the "
                f"IP-Adapter reads {wanted[0][1]}; give the one that it was trained with."
            )
        size = encoder.config.image_size
        # Asked for here: transformers says at once which library would be faster.
        processor = transformers.CLIPImageProcessor(size=size, crop_size=size)
        pipeline.register_modules(image_encoder=encoder, feature_extractor=processor)

    def _found(self, wanted: Sequence[tuple[str, int]]) -> Path:
        if self.folder is not None:
            return self.folder
        for folder in self._beside():
            said = read_json_object(folder / "config.json")
            if all(said.get(name) == size for name, size in wanted):
                return folder
        name, size = wanted[0]
        raise DgqcError(
            f"{self.files[0]} has no image encoder beside it with a {name} of {size}, which reads pictures "
            "for it; name its folder with --image-encoder."
        )

    def _beside(self) -> Iterator[Path]:
        for file in self.files:
            for place in BESIDE:
                folder = (file.resolve().parent / place).resolve()
                if (folder / "config.json").is_file():
                    yield folder


def _wanted(projection: nn.Module) -> tuple[str, int] | None:
    """What a projection reads of a picture, and of how many numbers; None where no picture gives it."""
    if isinstance(projection, IPAdapterFaceIDImageProjection):
        return None
    if isinstance(projection, ImageProjection):
        return EMBEDDED, projection.image_embeds.in_features
    anything: Any = projection
    inner = getattr(anything, "proj_in", None)
    # Without a resampler, a feed-forward network reads each patch.
    return "hidden_size", (anything.ff.net[0].proj if inner is None else inner).in_features


def _fits(config: Any, wanted: Sequence[tuple[str, int]]) -> bool:
    return all(getattr(config, name, None) == size for name, size in wanted)


def _read(folder: Path) -> Any:
    if not (folder / "config.json").is_file():
        raise DgqcError(f"{folder} has no config.json; give the folder of an image encoder.")
    kind = read_json_object(folder / "config.json").get("model_type")
    if kind != KIND:
        raise DgqcError(
            f"{folder} holds a {one_line(str(kind), 100)}, which reads no pictures for an IP-Adapter; give "
            f"the folder of a {KIND}, its image_encoder."
        )
    with explained(f"transformers can't load the image encoder {folder}", "copy it again"):
        reader = transformers.CLIPVisionModelWithProjection
        found: Any = reader.from_pretrained(folder, local_files_only=True)
    return found.to(torch.float32).eval()
