"""What it costs to round a layer in spans of its inputs: the demo model's weights, by how many a span has.

    python benchmarks/large_layers.py --spans 2560 576 288

Its widest layer has 2304 inputs, so 2560 is every layer whole, and at 256 that one is as many spans as
Stable Diffusion's widest, of 23,040 inputs, at 2560. Prints JSON.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.ir.parallel import single_threaded
from dgqc.ir.program import Program
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.weights.reconstruction import compensate

PIPELINE = Path(__file__).parents[1] / "examples" / "demo_model" / "pipeline"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, nargs="+", default=[2560, 576, 256])
    parser.add_argument("--opt", default="w4a6")
    parser.add_argument("--samples", type=int, default=8)
    given = parser.parse_args()
    options: dict[str, Any] = {"steps": 25, "samples": given.samples, "look_ahead": False}
    request = Request(PIPELINE, given.opt, parts="unet", stop_after="timestep-tables", **options)
    program, _ = lower(request)
    print(json.dumps({span: rounded(program, span) for span in given.spans}, indent=2))


def rounded(program: Program, span: int) -> dict[str, float]:
    """By how much layers gain on rounding to nearest, and the network's error at its last measured call."""
    compensate.SPAN = span
    with tempfile.TemporaryDirectory() as cache, single_threaded():
        os.environ["DGQC_CACHE"] = cache  # nothing is taken from another run
        passes = PassManager(parse_pipeline("gptq,measure-error"), (), False)
        report = passes.run(copy.deepcopy(program)).report
    gains = [10 * math.log10(before / after) for before, after in report["gptq"]["errors"].values() if after]
    calls = report["measure-error"]["by_call"]
    output = statistics.mean(list(layers.values())[-1] for layers in calls.values())
    return {
        "layers' gain, median dB": round(statistics.median(gains), 2),
        "layers' gain, mean dB": round(statistics.mean(gains), 2),
        "output of the network, dB": round(output, 2),
    }


if __name__ == "__main__":
    main()
