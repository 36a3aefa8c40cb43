"""Pictures of the user's, for pipelines that change pictures rather than draw them from nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageOps

from ...ir.errors import DgqcError
from ...ir.reading import reading

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MASK = ".mask"
"""Ends the stem of a picture's mask: `cat.mask.png` beside `cat.jpg`; what is white is drawn anew."""
CONTROL = re.compile(r"(.+)\.control([1-9])", re.ASCII)
"""The stem of what the first, second and so on of several networks reads: `cat.control2.png`."""
REMEDY = f"give a folder of pictures ({', '.join(ENDINGS)})"


@dataclass(frozen=True)
class Picture:
    """A picture's file, and its mask's where there is one.

    controls: what networks read beside it, by their number, 0 the first; they read the picture itself where
    there is none.
    """

    path: Path
    mask: Path | None = None
    controls: Mapping[int, Path] = field(default_factory=dict)

    def fitted(self, height: int, width: int) -> Any:
        """The picture, RGB, cut and resized to these sides."""
        return ImageOps.fit(self.whole(), (width, height))

    def whole(self) -> Any:
        """The picture, RGB, as large as it is."""
        return _read(self.path).convert("RGB")

    def control(self, network: int, height: int, width: int, gray: bool) -> Any:
        """What a network reads, cut and resized. gray: of one channel."""
        found = _read(self.controls.get(network, self.path))
        return ImageOps.fit(found.convert("L" if gray else "RGB"), (width, height))

    def fitted_mask(self, height: int, width: int, seed: int) -> Any:
        """What is to be drawn anew, white; a quarter of the picture where there is no mask."""
        if self.mask is not None:
            return ImageOps.fit(_read(self.mask).convert("L"), (width, height))
        drawn = torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist()
        left, top = int(drawn[0] * width / 2), int(drawn[1] * height / 2)
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).rectangle((left, top, left + width // 2, top + height // 2), fill=255)
        return mask


def read_pictures(folder: Path) -> tuple[Picture, ...]:
    """The pictures in a folder, by name. Raises DgqcError where there are none, or one that can't be read."""
    if not folder.is_dir():
        raise DgqcError(f"{folder} is no folder; {REMEDY}.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    masks = {path.stem.removesuffix(MASK): path for path in files if path.stem.endswith(MASK)}
    controls: dict[str, dict[int, Path]] = {}
    whole: list[Path] = []
    for path in files:
        if named := CONTROL.fullmatch(path.stem):
            controls.setdefault(named[1], {})[int(named[2]) - 1] = path
        elif not path.stem.endswith(MASK):
            whole.append(path)
    found = [Picture(path, masks.get(path.stem), controls.get(path.stem, {})) for path in whole]
    if not found:
        raise DgqcError(f"{folder} holds no pictures; {REMEDY}.")
    for one in found:
        one.fitted(1, 1)
        one.fitted_mask(1, 1, 0)
        for number in one.controls:
            one.control(number, 1, 1, gray=False)
    return tuple(found)


def _read(path: Path) -> Image.Image:
    with reading(str(path), REMEDY), Image.open(path) as image:
        image.load()
        return image
