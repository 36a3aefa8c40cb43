"""From a prompt to pixels: seconds, largest memory and bytes on disk of whole pipelines, on the same weights.

    python benchmarks/picture.py PIPELINE WORK [--steps 25] [--guidance 7.5] [--pictures 2] [--threads 2]
        [--presets w8a8 w4a6] [--bundles DIR ...] [--only NAME ...]
        [--stable-diffusion-cpp PROGRAM --types q8_0 q4_0 --cpp-options ""]

Everybody draws in a process of its own, one after another: diffusers in float32 and bfloat16, OpenVINO
where it and NNCF are installed, what dgqc emits (compiled here as a preset says, or before, with other
options, into a bundle), and stable-diffusion.cpp, whose program takes the pipeline's folder and makes files
of these types of it. WORK keeps bundles and what others made of the model, so that a second run only draws.
Prints a table.

Programs that load their weights for each picture are timed with that; of the others a picture is timed after
a first one. Pipelines call their UNet as their own scheduler says, stable-diffusion.cpp as Euler's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shlex
import shutil
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import child
from picture_peer import PEERS

PROMPT = "a large red circle at the left on a white background"
PEER = Path(__file__).with_name("picture_peer.py")
TEXT, WEIGHTS = "text_encoder", "diffusion_pytorch_model.safetensors"
DGQC = (sys.executable, "-c", "from dgqc.cli.main import main; main()")


@dataclass(frozen=True)
class Asked:
    """What everybody is asked for."""

    pipeline: Path
    work: Path
    prompt: str
    steps: int
    guidance: float
    pictures: int
    threads: int


@dataclass(frozen=True)
class Row:
    """seconds: of each picture. memory: the largest of the process, size: of files that it reads; bytes."""

    title: str
    seconds: list[float]
    memory: int
    size: int

    def text(self) -> str:
        """A line of the table."""
        seconds = statistics.median(self.seconds)
        return f"| {self.title} | {seconds:.2f} | {self.memory / 1e6:.0f} | {self.size / 1e6:.1f} |"


def drawn_in_python(asked: Asked, name: str) -> Row:
    """By the peer of this name; loading isn't timed, nor is a picture before the others."""
    options = [asked.steps, asked.guidance, asked.pictures, asked.prompt]
    command = [sys.executable, str(PEER), name, str(asked.pipeline), str(asked.work), *map(str, options)]
    # What has to be made is made by a process whose memory doesn't count.
    child.run([*command, "make"], threads=asked.threads)
    done = child.run([*command, "draw"], threads=asked.threads)
    found = json.loads(done.output.strip().splitlines()[-1])
    return Row(PEERS[name].title, found["seconds"], done.peak, found["bytes"])


def compiled(asked: Asked, preset: str) -> Path:
    """The pipeline's bundle of a preset."""
    bundle = asked.work / f"{preset}.dgqc"
    steps = ("--steps", str(asked.steps), "--guidance-scale", str(asked.guidance))
    if not bundle.exists():
        what = ("compile", asked.pipeline, "-O", preset, "--parts", "all", *steps, "-o", bundle)
        child.run((*DGQC, *what), threads=asked.threads)
    return bundle


def drawn_by_dgqc(asked: Asked, bundle: Path) -> Row:
    """By the emitted program, built for this processor."""
    project, build = bundle / "parts" / "c", asked.work / f"{bundle.stem}.build"
    child.run(("cmake", "-S", project, "-B", build, "-DCMAKE_BUILD_TYPE=Release"), threads=asked.threads)
    child.run(("cmake", "--build", build, "-j", str(asked.threads)), threads=asked.threads)
    weights, program = project / "model_parts_weights.bin", build / "model_parts_draw"
    command = (program, asked.prompt, "--weights", weights, "--guidance", str(asked.guidance))
    size = weights.stat().st_size + program.stat().st_size
    return _runs(asked, f"dgqc {bundle.stem}, emitted C", command, size, asked.work / "ours.ppm")


def drawn_by_cpp(asked: Asked, program: Path, kind: str, more: list[str]) -> Row:
    """By stable-diffusion.cpp, with weights of a type of its own. more: options for its drawings."""
    model, side = _converted(asked, program, kind), _side(asked.pipeline)
    tiny = asked.pipeline / "vae" / WEIGHTS
    decoder = ("--taesd", tiny) if _has_tiny_decoder(asked.pipeline) else ()
    command = (
        *(program, "-m", model, "-p", asked.prompt, "--steps", str(asked.steps), *decoder),
        *("--cfg-scale", str(max(1.0, asked.guidance)), "-t", str(asked.threads)),
        *("--sampling-method", "euler", "-W", str(side), "-H", str(side), *more),
    )
    size = model.stat().st_size + (tiny.stat().st_size if decoder else 0)
    return _runs(asked, f"stable-diffusion.cpp, {kind}", command, size, asked.work / "theirs.png")


def _converted(asked: Asked, program: Path, kind: str) -> Path:
    """Weights as stable-diffusion.cpp has them, made where they aren't there: from those of 16 bits, since
    convolutions of 3 x 3 keep what they come with."""
    model, half = asked.work / f"{kind}.gguf", asked.work / "f16.gguf"
    if not half.exists():
        source = ("-m", _as_published(asked.pipeline, asked.work / "as-published"), "--convert-name")
        child.run((program, "-M", "convert", *source, "-o", half, "--type", "f16"), threads=asked.threads)
    if not model.exists():
        made = ("-M", "convert", "-m", half, "-o", model, "--type", kind)
        child.run((program, *made), threads=asked.threads)
    return model


def _as_published(pipeline: Path, folder: Path) -> Path:
    """The pipeline's weights with the text encoder's names as they were before transformers 5.

    A tiny decoder stays out, since it is no autoencoder to stable-diffusion.cpp.
    """
    (folder / TEXT).mkdir(parents=True, exist_ok=True)
    for part in ("unet",) if _has_tiny_decoder(pipeline) else ("unet", "vae"):
        (folder / part).mkdir(exist_ok=True)
        (folder / part / WEIGHTS).unlink(missing_ok=True)
        (folder / part / WEIGHTS).symlink_to((pipeline / part / WEIGHTS).resolve())
    with (pipeline / TEXT / "model.safetensors").open("rb") as source:
        (size,) = struct.unpack("<Q", source.read(8))
        header = {_older(name): one for name, one in json.loads(source.read(size)).items()}
        text = json.dumps(header).encode()
        with (folder / TEXT / "model.safetensors").open("wb") as target:
            target.write(struct.pack("<Q", len(text)) + text)
            shutil.copyfileobj(source, target)
    return folder


def _older(name: str) -> str:
    """The name of a text encoder's tensor, within its text model."""
    return name if name.startswith(("text_model.", "text_projection.", "__")) else f"text_model.{name}"


def _has_tiny_decoder(pipeline: Path) -> bool:
    found = json.loads((pipeline / "model_index.json").read_text()).get("vae")
    return found is not None and found[1] == "AutoencoderTiny"


def _side(pipeline: Path) -> int:
    """Of a picture, in pixels; an autoencoder of four stages halves three times."""
    return 8 * int(json.loads((pipeline / "unet" / "config.json").read_text())["sample_size"])


def _runs(asked: Asked, title: str, command: tuple[str | Path, ...], size: int, output: Path) -> Row:
    """A program that draws one picture, some times; loading is timed, a first picture isn't."""
    seconds, memory = [], 0
    for seed in range(asked.pictures + 1):
        output.unlink(missing_ok=True)
        begun = time.perf_counter()
        done = child.run((*command, "--seed", str(seed), "-o", output), threads=asked.threads)
        seconds.append(time.perf_counter() - begun)
        memory = max(memory, done.peak)
        if not output.exists():
            raise SystemExit(f"{title} drew nothing:\n{done.output}")
    return Row(title, seconds[1:], memory, size)


def wanted(only: list[str]) -> Iterator[str]:
    """The peers in Python that are to draw and can; who can't is told on stderr."""
    for name, peer in PEERS.items():
        missing = [package for package in peer.packages if importlib.util.find_spec(package) is None]
        if only and name not in only:
            continue
        if missing:
            print(f"{name}: left out, {' and '.join(missing)} missing", file=sys.stderr)
        else:
            yield name


def rows(asked: Asked, given: argparse.Namespace) -> Iterator[Row]:
    """As they come; who is at it is told on stderr."""

    def tell(name: object) -> None:
        print(f"{name} draws", file=sys.stderr, flush=True)

    for name in wanted(given.only) if given.only != ["none"] else ():
        tell(name)
        yield drawn_in_python(asked, name)
    for preset in given.presets:
        tell(f"dgqc {preset}")
        yield drawn_by_dgqc(asked, compiled(asked, preset))
    for bundle in given.bundles:
        tell(bundle)
        yield drawn_by_dgqc(asked, bundle)
    for kind in given.types if given.stable_diffusion_cpp else ():
        tell(f"stable-diffusion.cpp {kind}")
        yield drawn_by_cpp(asked, given.stable_diffusion_cpp, kind, shlex.split(given.cpp_options))


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
    parser.add_argument("--presets", nargs="*", default=["w8a8", "w4a6"], help="that are compiled here")
    parser.add_argument("--bundles", nargs="*", type=Path, default=[], metavar="DIR", help="compiled before")
    parser.add_argument("--only", nargs="*", default=[], choices=[*PEERS, "none"], help="who draws in Python")
    parser.add_argument("--stable-diffusion-cpp", type=Path, metavar="PROGRAM")
    parser.add_argument("--types", nargs="*", default=["q8_0", "q4_0"], help="of its weights")
    parser.add_argument("--cpp-options", default="", help='for its drawings, such as "--diffusion-fa"')
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    asked = Asked(
        *(given.pipeline, given.work, given.prompt, given.steps, given.guidance, given.pictures),
        given.threads,
    )
    print(f"{given.pipeline}, {given.steps} steps, guidance {given.guidance:g}, {given.threads} threads\n")
    print("| | a picture, s | memory, MB | files, MB |\n| --- | --- | --- | --- |", flush=True)
    for row in rows(asked, given):
        print(row.text(), flush=True)


if __name__ == "__main__":
    main()
