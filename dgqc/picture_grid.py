"""Small pictures side by side in one PNG, with labels."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .ir.storage.whole import whole_file

SIDE = 128
"""Of a picture in the grid, in pixels."""
GAP = 8
TEXT_WIDTH = 300
HEADER = 28
LETTERS = 38
"""Of a caption in one line."""


def write_grid(path: Path, captions: Sequence[str], columns: Mapping[str, NDArray[np.uint8]]) -> None:
    """Writes a row for each caption and a column for each name.

    columns: name to pictures uint8 (N, height, width, 3), N the number of captions.
    """
    width = TEXT_WIDTH + len(columns) * (SIDE + GAP)
    grid = Image.new("RGB", (width, HEADER + len(captions) * (SIDE + GAP)), "white")
    brush = ImageDraw.Draw(grid)
    font = ImageFont.load_default(size=14)
    for column, (name, pictures) in enumerate(columns.items()):
        left = TEXT_WIDTH + column * (SIDE + GAP)
        brush.text((left, GAP), name, fill="black", font=font)
        for row, picture in enumerate(pictures):
            scaled = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST)
            grid.paste(scaled, (left, HEADER + row * (SIDE + GAP)))
    for row, caption in enumerate(captions):
        text = "\n".join(textwrap.wrap(caption, LETTERS))
        brush.multiline_text((GAP, HEADER + row * (SIDE + GAP) + GAP), text, fill="black", font=font)
    with whole_file(path) as unfinished:
        grid.save(unfinished, format="png")
