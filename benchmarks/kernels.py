"""How fast the C kernels of products run on Stable Diffusion v1.4's shapes, and their share of the peak.

    python benchmarks/kernels.py [--bits 8,4] [--flags "-O3 -march=native -mtune=generic"] [--json]

Eight groups of channels of unequal sizes, in the compiler's order, each with a multiple of its own, on one
core. *rows* is the product itself, *call* adds what a call prepares (`begin`): columns' multipliers, the sum
of zero points over all weights, a convolution's image with its halo. The peak is a loop of the machine's byte
dot products on registers, which takes turns with the kernel; each figure is the best of its rounds. Machines
without such an instruction have no peak here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from dgqc.backends.c import find_compiler
from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.layout.permute_channels import in_quads

HERE = Path(__file__).parent
GROUPS = 8
KERNELS = (
    *("linear", "conv2d", "product_prepare", "product_rows", "product_unpacked", "unpack"),
    *("matrix_rows", "matrix_lay", "segments", "spread", "tile", "requantize"),
)
"""Files of the runtime."""


@dataclass(frozen=True)
class Shape:
    """rows: of a matrix, or positions of an image. kernel: 1 for a matrix, or the side of a window."""

    rows: int
    channels: int
    columns: int
    kernel: int = 1

    @property
    def depth(self) -> int:
        """Products in a sum."""
        return self.channels * self.kernel**2

    def __str__(self) -> str:
        window = f" {self.kernel}x{self.kernel}" if self.kernel > 1 else ""
        return f"{self.rows} x {self.channels}{window} -> {self.columns}"


SHAPES = (
    *(Shape(4096, 320, 320), Shape(4096, 320, 2560), Shape(4096, 1280, 320)),
    *(Shape(1024, 640, 640), Shape(1024, 640, 5120), Shape(1024, 2560, 640)),
    *(Shape(256, 1280, 1280), Shape(256, 1280, 10240), Shape(256, 5120, 1280)),
    *(Shape(77, 768, 320), Shape(77, 768, 1280)),
    *(Shape(4096, 320, 320, 3), Shape(4096, 960, 320, 3), Shape(1024, 640, 640, 3)),
    *(Shape(256, 1280, 1280, 3), Shape(256, 2560, 1280, 3), Shape(64, 1280, 1280, 3)),
)
"""The UNet's transformer blocks at 64x64, 32x32 and 16x16, its context, and its 3x3 convolutions."""


@dataclass(frozen=True)
class Speed:
    """Billions of multiply-accumulates a second: of the machine's vectors, of its matrix units (0 where none
    are known), of rows, of a call."""

    shape: Shape
    bits: int
    peak: float
    matrix_peak: float
    rows: float
    call: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bits", default="8,4")
    parser.add_argument("--flags", default="-O3 -march=native -mtune=generic")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    cases = [(shape, int(bits)) for bits in given.bits.split(",") for shape in SHAPES]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found = speeds(cases, given.flags.split())
    if given.json:
        json.dump([asdict(speed) for speed in found], sys.stdout, indent=2)
        return
    print("| rows x summed -> columns | bits | GMAC/s | of the peak | whole call | of the matrix units' |")
    print("| --- | --- | --- | --- | --- | --- |")
    for speed in found:
        parts = ((speed.rows, speed.peak), (speed.call, speed.peak), (speed.rows, speed.matrix_peak))
        shares = [f"{value / peak:.0%}" if peak else "-" for value, peak in parts]
        print(f"| {speed.shape} | {speed.bits} | {speed.rows:.0f} | {' | '.join(shares)} |")


def ends(channels: int) -> list[int]:
    """Where groups end: sizes around the mean, in the order in which the compiler puts them."""
    random = Random(channels)
    cuts = [channels * (one + 1) // GROUPS + random.randint(-7, 7) for one in range(GROUPS - 1)]
    sizes = [end - first for first, end in pairwise((0, *cuts, channels))]
    return list(accumulate(sizes[one] for one in in_quads(sizes)))


def speeds(cases: list[tuple[Shape, int]], flags: list[str]) -> list[Speed]:
    """Builds the kernels and times them, one shape after another."""
    with TemporaryDirectory() as folder:
        program = str(Path(folder) / "kernels")
        sources = [HERE / "kernels.c", *(RUNTIME / f"dgqc_{name}.c" for name in KERNELS)]
        options = ["-std=c99", *flags, f"-I{RUNTIME}", "-o", program]
        command = [find_compiler(), *options, *map(str, sources)]
        subprocess.run(command, check=True)
        asked = "".join(
            f"{s.rows} {s.channels} {s.columns} {s.kernel} {bits} {' '.join(map(str, ends(s.channels)))}\n"
            for s, bits in cases
        )
        printed = subprocess.run([program], input=asked, capture_output=True, text=True, check=True).stdout
    return [
        Speed(shape, bits, *map(float, line.split()))
        for (shape, bits), line in zip(cases, printed.splitlines(), strict=True)
    ]


if __name__ == "__main__":
    main()
