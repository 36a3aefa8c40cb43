"""Makes a PNG of what a board printed: `python -m scenes.show build/m4.output build/pictures.png`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dgqc.demo_model.pictures import PICTURE_SIZE

ENLARGED = 5
GAP = 1
"""Between pictures, in pixels of theirs."""


def read_pictures(text: str) -> dict[str, NDArray[np.uint8]]:
    """Pictures uint8[32, 32, 3] by prompt, from the program's output."""
    pictures = {}
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for start in range(0, len(lines), PICTURE_SIZE + 2):
        prompt = lines[start].removeprefix("prompt ").rsplit(", seed ", 1)[0]
        rows = b"".join(bytes.fromhex(line) for line in lines[start + 2 : start + 2 + PICTURE_SIZE])
        pictures[prompt] = np.frombuffer(rows, dtype=np.uint8).reshape(PICTURE_SIZE, PICTURE_SIZE, 3)
    return pictures


def main() -> None:
    """Writes all pictures side by side, enlarged."""
    source, target = map(Path, sys.argv[1:])
    pictures = read_pictures(source.read_text(encoding="ascii")).values()
    gap = np.full((PICTURE_SIZE, GAP, 3), 255, dtype=np.uint8)
    strip = np.concatenate([part for picture in pictures for part in (gap, picture)][1:], axis=1)
    Image.fromarray(strip.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)).save(target)


if __name__ == "__main__":
    main()
