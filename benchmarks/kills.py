"""Kills commands at random moments, and looks at what is left.

    python benchmarks/kills.py --kills 200
    python benchmarks/kills.py --kills 20 --only "calibrate with pictures"

Compiling, saving, calibrating and comparing take turns, the shorter ones more often. Each runs in a child
process, on a small model, and is killed (SIGKILL) some time between its start and its end. What stands at
its output then must be whole: what was there before, or what it makes. The same command must then give the
same bytes as one that nobody killed, and nothing may be left beside them or in the temporary folder.
Bundles are replaced in turn with others of another preset, so that there is always an old one to lose.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from damaged_kinds import small_unet
from PIL import Image
from safetensors.torch import save_file

import dgqc
from dgqc.cli.main import run
from dgqc.demo_model import pipeline_dir
from dgqc.frontends.loading.pipelines import load_pipeline

Files = dict[str, bytes]
PRESETS = ("naive-w8a8", "naive-w4a8")
TIMES = "seconds.csv"
"""What a comparison took differs from run to run, and so does what it keeps of that in `measured`."""


@dataclass(frozen=True)
class Killed:
    """A command that is killed.

    run: all of it, in the child. output: the file or folder that it makes.
    whole: whether the output appears at once; else file by file.
    """

    name: str
    run: Callable[[], object]
    output: Path
    whole: bool = True


def main() -> None:
    """Kills, and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="COMMAND")
    given = parser.parse_args()
    torch.set_num_threads(1)  # A fork leaves other threads behind.
    with tempfile.TemporaryDirectory() as folder:
        found = kill_often(Path(folder), given.kills, random.Random(given.seed), given.only)
    print(table(found))


def kill_often(
    folder: Path, kills: int, chance: random.Random, only: list[str]
) -> Mapping[str, Counter[str]]:
    """How often each thing was found, by the command. folder: an empty one to work in."""
    temporary = folder / "temporary"
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    os.environ["DGQC_CACHE"] = str(folder / "cache")
    wanted = [one for one in commands(folder) if not only or one.name in only]
    undisturbed = [_undisturbed(one) for one in wanted]
    found = {one.name: Counter[str]() for one in wanted}
    for kill in range(kills):
        place = kill % len(wanted)
        one, counts, (seconds, whole) = wanted[place], found[wanted[place].name], undisturbed[place]
        if not one.whole:
            shutil.rmtree(one.output, ignore_errors=True)
        _run(one, chance.uniform(0, seconds))
        left = _files(one)
        rivals = [undisturbed[other][1] for other, rival in enumerate(wanted) if rival.output == one.output]
        counts["kills"] += 1
        counts["not whole"] += not (_each_whole(one, left, whole) or left in rivals)
        _run(one, None)
        counts["other bytes"] += _files(one) != whole
        counts["left beside"] += _left_beside(one)
        counts["left in the temporary folder"] += any(temporary.iterdir())
        print(f"{kill + 1} kills: {one.name} {dict(counts)}", file=sys.stderr, flush=True)
    return found


def commands(folder: Path) -> list[Killed]:
    """All that are killed, on one small model."""
    unet = small_unet(attention=False)
    model, pipeline = folder / "model", folder / "pipeline"
    unet.save_pretrained(model)
    shutil.copytree(pipeline_dir(), pipeline)
    prompts = folder / "prompts.txt"
    prompts.write_text("a red square\na green circle\n")
    programs = {preset: dgqc.compile(unet, preset, steps=2, samples=1, check=False) for preset in PRESETS}
    bundle, saved, recorded = (folder / name / "out" for name in ("compile", "save", "calibrate"))
    for place in (bundle, saved, recorded):
        place.parent.mkdir()
    quick = ("--steps", "2")
    few = ("--calib-prompts", "1", "--held-out", "1", "--presets", "naive", "--bits", "w8a8")
    compared = folder / "compare"
    recording = recorded.with_suffix(".safetensors")
    calibrating = ("calibrate", str(pipeline), "--prompts", str(prompts), *quick, "-o", str(recording))
    calibrate = Killed("calibrate", _command(*calibrating), recording)
    found = []
    for preset in PRESETS:
        compiling = ("compile", str(model), "-O", preset, *quick, "--samples", "1", "-o", str(bundle))
        save = Killed("save", _saving(programs[preset], saved), saved)
        found += [Killed("compile", _command(*compiling), bundle), save, calibrate, save, calibrate]
    adapted = folder / "adapted" / "out"
    adapted.parent.mkdir()
    merging = ("--lora", str(_adapter(unet, folder)), *quick, "--samples", "1", "-o", str(adapted))
    found.append(
        Killed("compile a LoRA", _command("compile", str(model), "-O", PRESETS[0], *merging), adapted)
    )
    changed = folder / "changed" / "out.safetensors"
    changed.parent.mkdir()
    changing = ("calibrate", str(_changing(pipeline, folder)), *calibrating[2:-1], str(changed))
    shown = ("--pictures", str(_pictures(folder)), "--strength", "0.6")
    found.append(Killed("calibrate with pictures", _command(*changing, *shown), changed))
    comparing = ("compare", str(model), *quick, *few, "-o", str(compared))
    return [*found, Killed("compare", _command(*comparing), compared, False)]


def _changing(pipeline: Path, folder: Path) -> Path:
    """A pipeline that changes pictures, by the networks of one that draws."""
    whole = load_pipeline(pipeline)
    channels, factor = whole.unet.config.in_channels, {"block_out_channels": (4, 4), "norm_num_groups": 4}
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
    vae = diffusers.AutoencoderKL(latent_channels=channels, sample_size=32, **factor, **blocks)
    parts = {**whole.components, "vae": vae}
    place = folder / "changing"
    diffusers.StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False).save_pretrained(place)
    return place


def _pictures(folder: Path) -> Path:
    """Three of them."""
    place = folder / "pictures"
    place.mkdir()
    for number in range(3):
        Image.effect_noise((32, 32), 20 + 40 * number).convert("RGB").save(place / f"{number}.png")
    return place


def _adapter(unet: Any, folder: Path) -> Path:
    """A LoRA of one layer."""
    layer, name = unet.time_embedding.linear_1, "unet.time_embedding.linear_1"
    down, up = torch.randn(2, layer.in_features), torch.randn(layer.out_features, 2)
    file = folder / "lora.safetensors"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, file)
    return file


def _command(*arguments: str) -> Callable[[], object]:
    return lambda: run(list(arguments))


def _saving(program: dgqc.CompiledProgram, place: Path) -> Callable[[], object]:
    return lambda: program.save(place)


def _files(one: Killed) -> Files:
    """What stands at a command's output, by path; what is measured in seconds is left out."""
    if one.output.is_file():
        return {"": one.output.read_bytes()}
    paths = (p.relative_to(one.output) for p in sorted(one.output.rglob("*")) if p.is_file())
    return {str(path): (one.output / path).read_bytes() for path in paths if _compared(path)}


def _compared(path: Path) -> bool:
    return path.name != TIMES and path.parts[0] != "measured"


def _each_whole(one: Killed, left: Files, wanted: Files) -> bool:
    """Whether nothing is there, or all, or, where files appear one by one, some of them as they must be."""
    if one.whole:
        return not left or left == wanted
    return all(wanted.get(path) == content for path, content in left.items() if path in wanted)


def _left_beside(one: Killed) -> bool:
    """Whether something unfinished stands beside the output or in it."""
    if one.whole:
        return any(path != one.output for path in one.output.parent.iterdir())
    return any(one.output.rglob("*partial*"))


def _undisturbed(one: Killed) -> tuple[float, Files]:
    """How long it takes, and what it makes, where nobody kills it."""
    start = time.monotonic()
    _run(one, None)
    return time.monotonic() - start, _files(one)


def _run(one: Killed, after: float | None) -> None:
    """Runs it in a child, which is killed so many seconds after it began."""
    child = os.fork()
    if not child:
        _child(one)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if after is None and status:
        raise RuntimeError(f"A {one.name} that nobody killed ended with {status}.")


def _child(one: Killed) -> None:
    """Never returns."""
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        status = 1 if one.run() in (1, 2) else 0
    finally:
        os._exit(status)


def table(found: Mapping[str, Counter[str]]) -> str:
    """Markdown: a line for each command."""
    names = list(next(iter(found.values())))
    lines = [f"| command | {' | '.join(names)} |", "| --- " * (1 + len(names)) + "|"]
    lines += [f"| {one} | {' | '.join(str(counts[n]) for n in names)} |" for one, counts in found.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
