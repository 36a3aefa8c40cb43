"""What one pass back takes, beside a float call and a simulated one: processor seconds and memory.

    OMP_NUM_THREADS=1 python benchmarks/pass_back.py [--size 64] [--heads 8]

Of a random UNet of 0.6 million weights whose attentions look at all pixels, at w4a6. Memory is the largest
resident set above what there was before. Linux alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import torch
from calls_by_pass import MEGA, forget_peak, many_heads, peak

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.passes.activations.value_widths import costs_of_widths
from dgqc.passes.widths.forms import operand_forms, weight_forms
from dgqc.passes.widths.measured import decibels, outputs_of, samples_of
from dgqc.passes.widths.noise_by_call import noise_by_call

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--heads", type=int, default=8)
    given = parser.parse_args()
    model = many_heads(given.size, given.heads)
    options = {"steps": 2, "samples": 1, "batch_size": 1, "stop_after": "timestep-tables"}
    program, _ = lower(Request(model, "w4a6,rounding=nearest", **options))  # type: ignore[arg-type]
    forms = (*operand_forms(program), *weight_forms(program))
    samples = {0: samples_of(program, [0])[0][-1:]}
    wanted = measured("float call", lambda: outputs_of(program, samples))
    measured("simulated call", lambda: decibels(program, samples, wanted))
    measured("pass back, operands and weights", lambda: noise_by_call(program, forms, samples))
    measured("pass back, 16-bit values", lambda: costs_of_widths(program, [0]))


def measured(name: str, work: Callable[[], Result]) -> Result:
    forget_peak()
    before, begun = peak(), time.process_time()
    found = work()
    print(f"{time.process_time() - begun:7.1f} s {(peak() - before) / MEGA:8.0f} MB  {name}", flush=True)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
