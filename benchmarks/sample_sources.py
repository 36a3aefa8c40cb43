"""How good ranges are by where samples come from: the demo model without a calibration, and with one.

python benchmarks/sample_sources.py [--steps 6] [--presets w8a8,w4a6,naive-w8a8,naive-w4a6] [--samples 16]

Signal to noise of each UNet call, simulated, on prompts that no sample has seen, guided as the demo draws.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch

from dgqc.compare import candidate
from dgqc.compare.candidates import simulation
from dgqc.compare.execution import SimulatedProgram
from dgqc.compare.trajectory import references, signal_to_noise
from dgqc.compiler.callers import KnownModel, caller_of
from dgqc.compiler.driver import lower
from dgqc.compiler.prepare import known_of
from dgqc.compiler.request import Request
from dgqc.demo_model import pipeline_dir, prompts
from dgqc.demo_model.evaluate import GUIDANCE, evaluation_scenes
from dgqc.frontends import calibrate, load_calibration
from dgqc.ir.calibration import Calibration

MANY = 32
HELD_OUT = 4
HELD_OUT_SEED = 70_000
FOLDER = Path("build/sample-sources")


def recorded(name: str, some: list[str], steps: int, seed: int) -> Calibration:
    """Calls of these prompts, kept for the next time."""
    file = FOLDER / f"{name}-{len(some)}-{steps}.safetensors"
    if not file.is_file():
        calibrate(pipeline_dir(), some, steps, file, seed, len(some), GUIDANCE)
    return load_calibration(file)


def sources(steps: int, count: int) -> Mapping[str, Callable[[], Calibration]]:
    """So many samples, by who made them."""
    known = known_of(Request(pipeline_dir()))
    alone = KnownModel(known.model, config=known.config)
    request = Request(pipeline_dir(), steps=steps)

    def drawn(model: KnownModel) -> Calibration:
        caller = caller_of(request, model, None)
        return caller.samples(known.model, count, count, 0, context_length=known.tokens or 0)

    return {
        f"{MANY} recorded prompts": lambda: recorded("prompts", prompts()[:MANY], steps, 0),
        f"{count} recorded prompts": lambda: recorded("prompts", prompts()[:count], steps, 0),
        "its own pipeline": lambda: drawn(known),
        "the UNet alone": lambda: drawn(alone),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--presets", default="w8a8,w4a6,naive-w8a8,naive-w4a6")
    parser.add_argument("--samples", type=int, default=16)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    captions = [scene.caption() for scene in evaluation_scenes(HELD_OUT)]
    held_out = recorded("held-out", captions, asked.steps, HELD_OUT_SEED)
    wanted = references(known_of(Request(pipeline_dir())).model, held_out)
    for name, make in sources(asked.steps, asked.samples).items():
        calibration = replace(make(), more=None)
        for preset in asked.presets.split(","):
            nearest = preset if preset.startswith("naive") else f"{preset},rounding=nearest"
            passes = simulation(candidate(nearest)).passes
            program, _ = lower(Request(pipeline_dir(), calibration=calibration, pass_pipeline=passes))
            found = signal_to_noise(_answers(SimulatedProgram(program)), wanted)
            wide = len(program.report.get("keep-wide", {}).get("wide-operands", ()))
            each = ", ".join(f"{one:.1f}" for one in found)
            print(f"{name}, {preset}: {mean(found):.1f} dB ({each}), {wide} operands wider", flush=True)


def _answers(simulated: SimulatedProgram) -> Callable[[Mapping[str, torch.Tensor], int], torch.Tensor]:
    return lambda inputs, step: simulated.answer(inputs, step=step)


if __name__ == "__main__":
    main()
