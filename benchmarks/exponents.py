"""Times a call of the demo model in C with one scale for each 16-bit value, and with scales for channels.

    python benchmarks/exponents.py [--opt w8a8] [--rounds 200]

The same model, samples and threads, every layer at the preset's bits; calls of all programs take turns, so
that other work on the machine slows all. Exponents are asked for: by itself `choose-exponents` leaves a model
alone that does without them.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

import dgqc
from dgqc.bundle.vectors import random_inputs
from dgqc.demo_model import pipeline_dir
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.passes.manager.presets import pipeline_for

CHOICES = {
    "one scale": "enough=0",
    "scales for channels where they gain most": "enough=56",
    "scales for channels everywhere": "enough=200,most=0",
}
"""Options of `choose-exponents` that make it do nothing, what half a decibel more takes than this model has
with one scale, and all that it can but for 20 bits."""


def compiled(opt: str, options: str) -> CompiledProgram:
    """The demo model on two pictures and three calls: what time depends on isn't how well it draws."""
    text = pipeline_for(f"{opt},rounding=nearest,keep=none")
    text = text.replace("choose-exponents,", f"choose-exponents{{{options}}},")
    return dgqc.compile(pipeline_dir(), pass_pipeline=text, steps=3, samples=2, check=False, parts="unet")


def milliseconds(program: CompiledProgram) -> float:
    """Of one call."""
    inputs = random_inputs(program.program, seed=0)
    start = time.perf_counter()
    program.run_integers(inputs, 0, backend="c")
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Prints the fastest and the median call of each, and how they compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--opt", default="w8a8")
    parser.add_argument("--rounds", type=int, default=200)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    programs = {name: compiled(chosen.opt, options) for name, options in CHOICES.items()}
    for name, program in programs.items():
        found = program.report["choose-exponents"]
        print(f"{name}: {found.get('values', 0)} values, {found.get('exponents') or found['one-scale']} dB")
    times: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(chosen.rounds + 1):
        for name, program in programs.items():
            took = milliseconds(program)
            if number:  # the first call builds and loads
                times[name].append(took)
    first, *_ = times.values()
    for name, found in times.items():
        more = 100 * (min(found) / min(first) - 1)
        print(
            f"{name}: fastest {min(found):.3f} ms ({more:+.1f} %), fastest tenth {tenth(found):.3f} ms "
            f"({100 * (tenth(found) / tenth(first) - 1):+.1f} %), median {statistics.median(found):.2f} ms"
        )


def tenth(found: list[float]) -> float:
    """The mean of the fastest tenth of the calls."""
    return statistics.mean(sorted(found)[: max(1, len(found) // 10)])


if __name__ == "__main__":
    main()
