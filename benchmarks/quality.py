"""Quality of the compiled demo model: signal to noise by step, alignment and Frechet distance of pictures.

    python benchmarks/quality.py trajectory [--calls 25] [--programs w8a8 w4a6,rounding=nearest ...]
    python benchmarks/quality.py pictures [--count 512] [--programs float w8a8 w4a6:simulated ...]

A program is a preset (`w4a6`, `dgq-w4a6,iterations=500`), `static-w4a6` for per-layer static min-max at the
same bits, or either with `:simulated` for its simulation. Results go to `build/quality/` and are kept there:
run again to continue. `--pipeline FOLDER` measures another model of the same kind, such as the variant with
outliers; give it an `--output` of its own.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from dgqc.compiler import Request, finish, lower
from dgqc.demo_model import load_pipeline, pipeline_dir, prompts
from dgqc.demo_model.classifier import load_classifier, picture_features
from dgqc.demo_model.evaluate import (
    GUIDANCE,
    alignment_by_attribute,
    draw_with,
    evaluation_scenes,
    frechet_distance,
    frechet_to_real,
)
from dgqc.frontends.calibrate import calibrate
from dgqc.frontends.calibration_file import load_calibration
from dgqc.ir.calibration import Calibration
from dgqc.ir.program import Program
from dgqc.passes.manager import PassManager
from dgqc.passes.pipeline import parse_pipeline
from dgqc.passes.presets import PRESETS, pipeline_for

STEPS = 25
CALIBRATION_PROMPTS = 32
HELD_OUT = 8
"""Prompts whose trajectories, in float, are the inputs that signal to noise is measured on."""
HELD_OUT_SEED = 70_000

Call = Callable[[torch.Tensor, int, torch.Tensor], torch.Tensor]
"""One UNet call: sample (B, 12, 16, 16), ordinal, context (B, 16, 128)."""


def recorded(folder: Path, name: str, captions: list[str], seed: int, pipeline: Path) -> Calibration:
    """UNet calls of the unmodified float pipeline, recorded once."""
    file = folder / f"{name}.safetensors"
    if not file.exists():
        calibrate(pipeline, captions, STEPS, file, seed=seed, batch_size=8, guidance_scale=GUIDANCE)
    return load_calibration(file)


def pipeline_text(program: str) -> str:
    """The passes of a preset, or of per-layer static min-max at a preset's bits."""
    static = program.startswith("static-")
    bits = program.removeprefix("static-")
    baseline = f"{bits}g1,probabilities=uniform,scale=static,rounding=nearest"
    text = pipeline_for(baseline if static else bits)
    text = text.replace("measure-error,", "")  # this is where error is measured
    return text.replace("observe-ranges", "observe-ranges,static-ranges") if static else text


def planned(program: str, calibration: Calibration, pipeline: Path) -> tuple[Program, Any, str]:
    """A program with all decisions made, and the passes that remain."""
    text = pipeline_text(program)
    decisions, last, rest = text.partition("lower-integer,")
    made, provenance = lower(
        Request(pipeline, calibration=calibration, pass_pipeline=decisions.removesuffix(","))
    )
    return replace(made, calibration=None), provenance, last + rest


def simulated_call(program: Program) -> Call:
    """The simulation of a planned program."""
    graph = PassManager(parse_pipeline("simulate")).run(copy.deepcopy(program)).graph

    def call(sample: torch.Tensor, ordinal: int, context: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            result: torch.Tensor = graph(sample, context, torch.tensor(ordinal))
        return result

    return call


def integer_call(program: Program, provenance: Any, rest: str) -> Call:
    """The compiled program, run as C."""
    made = finish(PassManager(parse_pipeline(rest)).run(copy.deepcopy(program)), provenance)
    timesteps = program.schedule.timesteps

    def call(sample: torch.Tensor, ordinal: int, context: torch.Tensor) -> torch.Tensor:
        return made.run(sample, timesteps[ordinal], context, backend="c")

    return call


def decibels(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """10 log10 of signal over noise."""
    noise = float((wanted - found).double().square().sum())
    return 10 * math.log10(float(wanted.double().square().sum()) / noise) if noise else math.inf


def trajectory(folder: Path, programs: list[str], calls: int, held: int, pipeline: Path) -> None:
    """Signal to noise of the UNet's output at each step, on the float model's own trajectories."""
    calibration = recorded(folder, "calibration", prompts()[:CALIBRATION_PROMPTS], 0, pipeline)
    captions = [scene.caption() for scene in evaluation_scenes(held)]
    held_out = recorded(folder, f"held-out-{held}", captions, HELD_OUT_SEED, pipeline)
    unet = load_pipeline(pipeline).unet
    ordinals = sorted({round(i * (STEPS - 1) / max(calls - 1, 1)) for i in range(calls)})
    references: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}
    for ordinal in ordinals:
        batches = list(held_out.read(ordinal))
        sample = torch.cat([batch["sample"] for batch in batches])
        context = torch.cat([batch["encoder_hidden_states"] for batch in batches])
        with torch.no_grad():
            wanted = unet(sample, held_out.schedule.timesteps[ordinal], context).sample
        references[ordinal] = sample, context, wanted
    file = folder / "trajectory.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    for name in programs:
        if name in results:
            continue
        program, provenance, rest = planned(name, calibration, pipeline)
        entry: dict[str, Any] = {"ordinals": ordinals}
        for kind, call in (
            ("simulated", simulated_call(program)),
            ("integers", integer_call(program, provenance, rest)),
        ):
            entry[kind] = [
                decibels(wanted, call(sample, ordinal, context))
                for ordinal, (sample, context, wanted) in references.items()
            ]
        results[name] = entry
        file.write_text(json.dumps(results, indent=1))
        simulation, integers = entry["simulated"], entry["integers"]
        least = min(b - a for a, b in zip(simulation, integers, strict=True))
        print(
            f"{name:14} simulated {np.mean(simulation):5.2f} dB (last five {np.mean(simulation[-5:]):5.2f})  "
            f"integers {np.mean(integers):5.2f} dB (last five {np.mean(integers[-5:]):5.2f})  "
            f"worst step, integers less simulation {least:+.2f} dB",
            flush=True,
        )


class _Unet(torch.nn.Module):
    """A call in a UNet's place in the pipeline."""

    def __init__(self, original: torch.nn.Module, call: Call, timesteps: tuple[float, ...]) -> None:
        super().__init__()
        self.config = original.config
        self.add_embedding = None
        self.dtype, self.device = torch.float32, torch.device("cpu")
        self._call, self._timesteps = call, timesteps

    def forward(
        self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, **options: Any
    ) -> Any:
        ordinal = self._timesteps.index(float(timestep))
        result = self._call(sample, ordinal, encoder_hidden_states)
        return SimpleNamespace(sample=result) if options.get("return_dict", True) else (result,)


def pictures(folder: Path, programs: list[str], count: int, source: Path) -> None:
    """Alignment with the prompts, and Frechet distances to real pictures and to the float model's."""
    calibration = recorded(folder, "calibration", prompts()[:CALIBRATION_PROMPTS], 0, source)
    scenes = evaluation_scenes(count)
    captions = [scene.caption() for scene in scenes]
    results: dict[str, Any] = {}
    for name in programs:
        file = folder / f"pictures-{name.replace(':', '-')}-{count}.npy"
        start = time.perf_counter()
        if not file.exists():
            pipeline = load_pipeline(source)
            if name != "float":
                preset, _, kind = name.partition(":")
                program, provenance, rest = planned(preset, calibration, source)
                call = simulated_call(program) if kind else integer_call(program, provenance, rest)
                pipeline.register_modules(unet=_Unet(pipeline.unet, call, program.schedule.timesteps))
            np.save(file, draw_with(pipeline, captions, list(range(count)), STEPS))
        drawn = np.load(file)
        classifier = load_classifier()
        own = picture_features(classifier, drawn)
        float_file = folder / f"pictures-float-{count}.npy"
        results[name] = {
            "alignment": alignment_by_attribute(drawn, scenes),
            "frechet_to_real": frechet_to_real(drawn),
            "frechet_to_float": (
                frechet_distance(own, picture_features(classifier, np.load(float_file)))
                if float_file.exists()
                else None
            ),
            "seconds": round(time.perf_counter() - start, 1),
        }
        (folder / f"pictures-{count}.json").write_text(json.dumps(results, indent=1))
        print(name, json.dumps(results[name]), flush=True)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["trajectory", "pictures"])
    parser.add_argument("--programs", nargs="+", default=[])
    parser.add_argument("--count", type=int, default=512, help="pictures per program")
    parser.add_argument("--calls", type=int, default=STEPS, help="steps of the trajectory to measure")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help="prompts of the trajectories")
    parser.add_argument("--pipeline", type=Path, default=pipeline_dir())
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("build/quality"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    chosen = arguments.programs
    if arguments.what == "trajectory":
        everything = [
            *PRESETS,
            *(f"{bits}g16" for bits in PRESETS),
            "static-w8a8",
            "static-w4a6",
            "static-w8a4",
        ]
        trajectory(
            arguments.output, chosen or everything, arguments.calls, arguments.held_out, arguments.pipeline
        )
    else:
        default = ["float", "w8a8", "w4a6", "w8a4", "w4a6:simulated", "static-w8a4"]
        pictures(arguments.output, chosen or default, arguments.count, arguments.pipeline)


if __name__ == "__main__":
    main()
