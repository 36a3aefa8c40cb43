"""Makes a PNG of what a board printed: `python -m digits.show build/m3.output build/digits.png`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .pictures import SIZE

ENLARGED = 6


def read_pictures(text: str) -> dict[int, NDArray[np.uint8]]:
    """Pictures uint8[16, 16] by digit, from the program's output."""
    pictures = {}
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for start in range(0, len(lines), SIZE + 1):
        digit = int(lines[start].split(",")[0].removeprefix("digit "))
        rows = [list(bytes.fromhex(line)) for line in lines[start + 1 : start + 1 + SIZE]]
        pictures[digit] = np.array(rows, dtype=np.uint8)
    return pictures


def main() -> None:
    """Writes all pictures side by side, enlarged."""
    source, target = map(Path, sys.argv[1:])
    pictures = read_pictures(source.read_text(encoding="ascii"))
    strip = np.concatenate([pictures[digit] for digit in sorted(pictures)], axis=1)
    Image.fromarray(strip.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)).save(target)


if __name__ == "__main__":
    main()
