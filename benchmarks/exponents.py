"""Times a call of the demo model in C: scales for each channel of 16-bit values, and one for each value.

    python benchmarks/exponents.py [--opt w8a8] [--rounds 200]

The same model, samples and threads; calls of both programs take turns, so that other work on the machine
slows both. Exponents are forced: by itself `choose-exponents` leaves a model alone that does without them.
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

ENOUGH = {"one scale": 0, "a scale for each channel": 200}
"""Decibels that make `choose-exponents` do nothing, and all that it can but for 20 bits (`most=0`)."""


def compiled(opt: str, enough: int) -> CompiledProgram:
    """The demo model on two pictures and three calls: what time depends on isn't how well it draws."""
    text = pipeline_for(f"{opt},rounding=nearest")
    text = text.replace("choose-exponents,", f"choose-exponents{{enough={enough},most=0}},")
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
    programs = {name: compiled(chosen.opt, enough) for name, enough in ENOUGH.items()}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(chosen.rounds + 1):
        for name, program in programs.items():
            took = milliseconds(program)
            if number:  # the first call builds and loads
                times[name].append(took)
    for name, found in times.items():
        print(f"{name}: fastest {min(found):.2f} ms, median {statistics.median(found):.2f} ms")
    one, each = (sorted(found) for found in times.values())
    tenth = max(1, len(one) // 10)
    ratio = statistics.mean(each[:tenth]) / statistics.mean(one[:tenth])
    print(f"the fastest tenth of the calls: {100 * (ratio - 1):+.1f} %")


if __name__ == "__main__":
    main()
