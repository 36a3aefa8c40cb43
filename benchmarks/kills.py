"""Kills compiling and saving at random moments, and looks at what is left.

    python benchmarks/kills.py --kills 50

A small UNet is compiled and saved by a child process, which is killed (SIGKILL) some time between its start
and its end, every second time while it saves. What stands at the output then must be whole: nothing, or a
bundle with the bytes that it should have. The same command must then give those bytes, and nothing may be
left beside it or in the temporary folder. Bundles are replaced in turn with others of another preset, so that
there is always an old one to lose.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from diffusers import UNet2DModel

import dgqc

SAVING = b"s"
"""What a child tells when it begins to save."""

Files = dict[str, bytes]


def main() -> None:
    """Kills, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--presets", default="w4a6,naive-w8a8", help="two or more, which take turns")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # A fork leaves other threads behind.
    with tempfile.TemporaryDirectory() as folder:
        presets, chance = arguments.presets.split(","), random.Random(arguments.seed)
        print(table(kill_often(Path(folder), arguments.kills, presets, chance)))


def kill_often(folder: Path, kills: int, presets: Sequence[str], chance: random.Random) -> Counter[str]:
    """How often each thing was found. folder: an empty one to work in."""
    temporary, output = folder / "temporary", folder / "out" / "bundle"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    os.environ["DGQC_CACHE"] = str(folder / "cache")
    model = _model(folder / "model")
    expected, times = {}, {}
    for preset in presets:
        times[preset] = _run(model, preset, output)
        expected[preset] = files_of(output)
    found: Counter[str] = Counter()
    for kill in range(kills):
        preset = presets[kill % len(presets)]
        whole, saving = times[preset]
        during_save = kill % 4 >= 2
        found["kills while saving" if during_save else "kills at any moment"] += 1
        _run(model, preset, output, chance.uniform(0, saving if during_save else whole), during_save)
        left = files_of(output)
        found["an output that is no whole bundle"] += left not in expected.values()
        _run(model, preset, output)
        found["other bytes from the same command"] += files_of(output) != expected[preset]
        beside = [path for path in output.parent.iterdir() if path != output]
        found["something left beside the output"] += bool(beside)
        found["something left in the temporary folder"] += any(temporary.iterdir())
    return found


def files_of(folder: Path) -> Files:
    """The content of every file below a folder, by its path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def table(found: Counter[str]) -> str:
    """Markdown."""
    lines = (f"| {what} | {count} |" for what, count in found.items())
    return "\n".join(["| found | times |", "| --- | --- |", *lines])


def _model(folder: Path) -> Path:
    """A saved UNet that compiles in seconds."""
    torch.manual_seed(0)
    blocks = {
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }
    size = {"sample_size": 8, "block_out_channels": (8, 16), "norm_num_groups": 4, "layers_per_block": 1}
    UNet2DModel(in_channels=3, out_channels=3, attention_head_dim=8, **size, **blocks).save_pretrained(folder)
    return folder


def _run(
    model: Path, preset: str, output: Path, after: float | None = None, saving: bool = False
) -> tuple[float, float]:
    """Compiles and saves in a child, which is killed so many seconds after it began (to save).

    Gives the seconds that all of it and saving took, where it wasn't killed.
    """
    read, write = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if not child:
        os.close(read)
        _child(lambda: os.write(write, SAVING), model, preset, output)
    os.close(write)
    if after is None or saving:
        os.read(read, 1)
    began = time.monotonic()
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(read)
    if after is None and status:
        raise RuntimeError(f"A run that nobody killed ended with {status}.")
    end = time.monotonic()
    return end - start, end - began


def _child(tell: Callable[[], object], model: Path, preset: str, output: Path) -> None:
    """Never returns."""
    status = 1
    try:
        program = dgqc.compile(model, preset, steps=2, samples=1)
        tell()
        program.save(output)
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
