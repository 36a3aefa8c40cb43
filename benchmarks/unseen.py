"""Samples that calibrated against samples that didn't: signal to noise by how many there were.

    python benchmarks/unseen.py [--model FOLDER] [--opt w8a8] [--samples 2,8,32] [--steps 10]
    python benchmarks/unseen.py --pictures 32 [--model FOLDER] [--opt w8a8,w4a6] [--samples 8] [--steps 10]

Three ways to set ranges: as `-O` does, without `widen-ranges`, and one range per layer (`naive`). Simulated,
with weights rounded to nearest, so that ranges are all that differs. The demo model is prompted; any other
denoises noise. Guided samples count twice: with and without their prompt.

With pictures: whole ones, of the demo's grammar, drawn by `-O` as it is and by `naive`, in integers, each
beside the float model's; is any worse than `naive`'s? Samples are prompts then.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dgqc.compare.candidates import FLOAT, Candidate, candidate, simulation
from dgqc.compare.drawing import Pictures
from dgqc.compare.execution import Executable, build, call
from dgqc.compare.judges import PixelJudge
from dgqc.compare.run import Measured
from dgqc.compare.store import Store
from dgqc.compare.trajectory import Reference, references, signal_to_noise
from dgqc.compare.workload import Amounts, Workload, demo, unprompted
from dgqc.demo_model import pipeline_dir
from dgqc.ir.calibration import Calibration, Inputs

PICTURES = 32
HELD_OUT = 4


def few(samples: Calibration, count: int) -> Calibration:
    """The first so many samples of each call; of guided ones, as many of each half."""

    def read(step: int) -> Iterator[Inputs]:
        left = count
        for batch in samples.read(step):
            size = len(batch["sample"])
            order = torch.arange(size).reshape(2, -1).T.reshape(-1) if size % 2 == 0 else torch.arange(size)
            chosen = order[:left]
            left -= len(chosen)
            if len(chosen):
                yield {name: value[chosen] for name, value in batch.items()}

    return replace(samples, read=read)


def ways(opt: str) -> Mapping[str, Candidate]:
    """The three, by what a row is called."""
    own = simulation(candidate(f"{opt},rounding=nearest"))
    return {
        "as it is": own,
        "without widen-ranges": replace(own, passes=own.passes.replace("widen-ranges,", "")),
        "naive": simulation(candidate(f"naive-{opt}")),
    }


def workload_of(model: Path, steps: int, folder: Path) -> Workload:
    """The demo model's prompts, or a model's own denoising."""
    sizes = Amounts(steps=steps, calibration=PICTURES, held_out=HELD_OUT, pictures=0)
    return demo(Store(folder), sizes, None, model) if model == pipeline_dir() else unprompted(model, sizes)


def measured(program: Executable, against: list[Reference]) -> list[float]:
    """Decibels at each call."""
    return signal_to_noise(lambda inputs, step: call(program, inputs, step), against)


def peaks(pictures: Pictures, beside: Pictures) -> list[float]:
    """Peak signal to noise of each picture, in decibels."""
    judge = PixelJudge()
    pairs = zip(pictures, beside, strict=True)
    return [judge.judge(one[None], [""], other[None])["psnr_float"] for one, other in pairs]


def picture_rows(given: argparse.Namespace) -> Iterator[str]:
    """A row for each width and number of prompts."""
    store = Store(given.output / "measured")
    for prompts in map(int, given.samples.split(",")):
        sizes = Amounts(steps=given.steps, calibration=prompts, held_out=1, pictures=given.pictures)
        workload = demo(store, sizes, PixelJudge(), given.model)

        def drawn(name: str, workload: Workload = workload) -> Pictures:
            return Measured(candidate(name), workload, store).pictures(workload.drawings[""])

        beside = drawn(FLOAT)
        for opt in given.opt.split(","):
            ours, naive = (peaks(drawn(name), beside) for name in (opt, f"naive-{opt}"))
            gains = np.subtract(ours, naive)
            figures = (statistics.fmean(ours), statistics.fmean(naive), float(gains.min()))
            worst = f"{int(gains.argmin())} | {int((gains < 0).sum())} of {len(gains)}"
            yield f"| {opt} | {prompts} | {' | '.join(f'{db:.1f} dB' for db in figures)} | {worst} |"


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=pipeline_dir())
    parser.add_argument("--opt", default="w8a8")
    parser.add_argument("--samples", default="2,8,32", help="of each call, at most 32 pictures'")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=0, help="to draw, in the place of single calls")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/tables"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.pictures:
        print("| | prompts | PSNR | `naive` | least gain | at picture | below `naive` |\n|" + " --- |" * 7)
        for row in picture_rows(chosen):
            print(row, flush=True)
        return
    workload = workload_of(chosen.model, chosen.steps, chosen.output / "measured")
    print("| samples | ranges | not seen: mean | worst call | seen: mean |\n| --- | --- | --- | --- | --- |")
    for count in map(int, chosen.samples.split(",")):
        part = replace(workload, calibration=few(workload.calibration, count))
        seen = references(workload.unet, few(workload.calibration, min(count, 2 * HELD_OUT)))
        for name, one in ways(chosen.opt).items():
            program = build(one, part)
            other, own = measured(program, workload.references), measured(program, seen)
            figures = (sum(other) / len(other), min(other), sum(own) / len(own))
            print(f"| {count} | {name} | {' | '.join(f'{db:.1f} dB' for db in figures)} |", flush=True)


if __name__ == "__main__":
    main()
