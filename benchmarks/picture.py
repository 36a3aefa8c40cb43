"""From a prompt to pixels: seconds, largest memory and bytes on disk of whole pipelines, on the same weights.

    python benchmarks/picture.py PIPELINE WORK [--steps 25] [--guidance 7.5] [--pictures 2] [--threads 2]
        [--presets w8a8 w4a6] [--only NAME ...]
        [--stable-diffusion-cpp PROGRAM --models FILE ...]

Everybody draws in a process of its own, one after another: diffusers in float32 and bfloat16, OpenVINO where
it is installed (int8: where NNCF is, too), what dgqc emits, and a built stable-diffusion.cpp with models that
it has converted (`sd -M convert -m MODEL -o model-q8_0.gguf --type q8_0`). WORK keeps bundles and what
OpenVINO made of the model, so that a second run only draws. Prints a table.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import child

PROMPT = "a large red circle at the left on a white background"
PEER = Path(__file__).with_name("picture_peer.py")
DGQC = (sys.executable, "-c", "from dgqc.cli.main import main; main()")
NEEDED = {
    "diffusers-float32": (),
    "diffusers-bfloat16": (),
    "openvino-float32": ("openvino",),
    "openvino-bfloat16": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}
"""Who draws in Python, with packages beside diffusers."""


@dataclass(frozen=True)
class Asked:
    """What everybody is asked for. cpp: the program of stable-diffusion.cpp, with its models."""

    pipeline: Path
    work: Path
    prompt: str
    steps: int
    guidance: float
    pictures: int
    threads: int
    cpp: Path | None
    models: tuple[Path, ...]


@dataclass(frozen=True)
class Row:
    """seconds: of each picture. memory: the largest of the process, size: of files that it reads; bytes."""

    seconds: list[float]
    memory: int
    size: int

    def text(self, name: str) -> str:
        """A line of the table."""
        seconds = statistics.median(self.seconds)
        return f"| {name} | {seconds:.2f} | {self.memory / 1e6:.0f} | {self.size / 1e6:.1f} |"


def drawn_in_python(asked: Asked, name: str) -> Row:
    """By the peer of this name; loading isn't timed, nor is a picture before the others."""
    options = [asked.steps, asked.guidance, asked.pictures, asked.prompt]
    command = [sys.executable, str(PEER), name, str(asked.pipeline), str(asked.work), *map(str, options)]
    # What has to be made is made by a process whose memory doesn't count.
    child.run([*command, "make"], threads=asked.threads)
    done = child.run([*command, "draw"], threads=asked.threads)
    found = json.loads(done.output.strip().splitlines()[-1])
    return Row(found["seconds"], done.peak, found["bytes"])


def drawn_by_dgqc(asked: Asked, preset: str) -> Row:
    """By the emitted program; loading is a part of it, as of any program that draws a picture."""
    bundle, build = asked.work / f"{preset}.dgqc", asked.work / f"{preset}.build"
    steps = ("--steps", str(asked.steps), "--guidance-scale", str(asked.guidance))
    if not bundle.exists():
        what = ("compile", asked.pipeline, "-O", preset, "--parts", "all", *steps, "-o", bundle)
        child.run((*DGQC, *what), threads=asked.threads)
    project = bundle / "parts" / "c"
    child.run(("cmake", "-S", project, "-B", build, "-DCMAKE_BUILD_TYPE=Release"), threads=asked.threads)
    child.run(("cmake", "--build", build, "-j", str(asked.threads)), threads=asked.threads)
    weights, program = project / "model_parts_weights.bin", build / "model_parts_draw"
    command = (program, asked.prompt, "--weights", weights, "--guidance", str(asked.guidance))
    return _runs(asked, command, weights.stat().st_size + program.stat().st_size, asked.work / "ours.ppm")


def drawn_by_cpp(asked: Asked, model: Path) -> Row:
    """By stable-diffusion.cpp; loading is a part of it."""
    assert asked.cpp is not None
    command = (
        *(asked.cpp, "-m", model, "-p", asked.prompt, "--steps", str(asked.steps)),
        *("--cfg-scale", str(asked.guidance), "-t", str(asked.threads), "--sampling-method", "euler"),
    )
    return _runs(asked, command, model.stat().st_size, asked.work / "theirs.png")


def _runs(asked: Asked, command: tuple[str | Path, ...], size: int, output: Path) -> Row:
    """A program that draws one picture, some times."""
    seconds, memory = [], 0
    for seed in range(asked.pictures):
        begun = time.perf_counter()
        done = child.run((*command, "--seed", str(seed), "-o", output), threads=asked.threads)
        seconds.append(time.perf_counter() - begun)
        memory = max(memory, done.peak)
    return Row(seconds, memory, size)


def rows(asked: Asked, presets: list[str], only: list[str]) -> list[str]:
    """The lines of the table, as they come; who can't draw is told on stderr."""
    found = []
    for name, packages in NEEDED.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if only and name not in only:
            continue
        if missing:
            print(f"{name}: left out, {' and '.join(missing)} missing", file=sys.stderr)
        else:
            print(f"{name} draws", file=sys.stderr, flush=True)
            found.append(drawn_in_python(asked, name).text(name))
    for preset in presets:
        print(f"dgqc {preset} draws", file=sys.stderr, flush=True)
        found.append(drawn_by_dgqc(asked, preset).text(f"dgqc {preset}, emitted C"))
    for model in asked.models:
        print(f"stable-diffusion.cpp {model.stem} draws", file=sys.stderr, flush=True)
        found.append(drawn_by_cpp(asked, model).text(f"stable-diffusion.cpp, {model.stem}"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--pictures", type=int, default=2, help="that are timed; the median is told")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--presets", nargs="*", default=["w8a8", "w4a6"])
    parser.add_argument("--only", nargs="*", default=[], choices=NEEDED, help="who draws in Python")
    parser.add_argument("--stable-diffusion-cpp", type=Path, metavar="PROGRAM")
    parser.add_argument("--models", nargs="*", type=Path, default=[], metavar="FILE", help="for it")
    given = parser.parse_args()
    if given.models and given.stable_diffusion_cpp is None:
        parser.error("--models are for stable-diffusion.cpp; say where it is with --stable-diffusion-cpp.")
    given.work.mkdir(parents=True, exist_ok=True)
    asked = Asked(
        *(given.pipeline, given.work, given.prompt, given.steps, given.guidance, given.pictures),
        *(given.threads, given.stable_diffusion_cpp, tuple(given.models)),
    )
    lines = rows(asked, given.presets, given.only)
    print(f"{given.pipeline}, {given.steps} steps, guidance {given.guidance:g}, {given.threads} threads\n")
    print("| | a picture, s | memory, MB | files, MB |\n| --- | --- | --- | --- |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
