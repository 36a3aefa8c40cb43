"""How good programs are by where samples come from: without a calibration, and with one.

    python benchmarks/sample_sources.py [--models demo,digits] [--steps 6] [--sources recorded,nothing,alone]
        [--opt w8a8 --opt naive-w8a8]

As integers in C, all as `dgqc compile` does it: signal to noise of each UNet call on prompts and classes
that no sample has seen, guided as the demo draws, and on the first samples that calibrated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean

import torch
from unseen import few

from dgqc.compare.trajectory import Reference, references, signal_to_noise
from dgqc.compare.workload import Amounts, unprompted
from dgqc.compiler.driver import compile_with_samples
from dgqc.compiler.prepare import known_of
from dgqc.compiler.request import Request
from dgqc.demo_model import pipeline_dir, prompts
from dgqc.demo_model.evaluate import GUIDANCE, evaluation_scenes
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.frontends import calibrate, load_calibration
from dgqc.ir.calibration import Calibration
from dgqc.report.report import entry_with

MANY = 32
PRESETS = ("w8a8", "naive-w8a8")
HELD_OUT = 8
HELD_OUT_SEED = 70_000
FOLDER = Path("build/sample-sources")
DIGITS = Path(__file__).resolve().parent.parent / "examples/microcontroller/pipeline"
MODELS = {"demo": pipeline_dir(), "digits": DIGITS}

Source = Callable[[str], Request]
"""What is asked of the compiler for a preset."""


def recorded(name: str, some: list[str], steps: int, seed: int) -> Calibration:
    """Calls of the demo model on these prompts, kept for the next time."""
    file = FOLDER / f"{name}-{len(some)}-{steps}.safetensors"
    if not file.is_file():
        calibrate(pipeline_dir(), some, steps, file, seed, len(some), GUIDANCE)
    return load_calibration(file)


def sources(model: str, steps: int) -> Mapping[str, Source]:
    """By short names. The digits have classes, and no text encoder that could be missing."""
    folder = MODELS[model]
    if model == "demo":
        unet, scheduler = folder / "unet", folder / "scheduler"
        tokens = known_of(Request(folder)).tokens
        many = recorded("prompts", prompts()[:MANY], steps, 0)
        alone = {"steps": steps, "scheduler": scheduler, "context_length": tokens}
        return {
            "recorded": lambda opt: Request(folder, opt, calibration=many),
            "nothing": lambda opt: Request(folder, opt, steps=steps),
            "alone": lambda opt: Request(unet, opt, **alone),
        }
    drawn = unprompted(folder, Amounts(calibration=MANY, steps=steps)).calibration
    return {
        "recorded": lambda opt: Request(folder, opt, calibration=drawn),
        "nothing": lambda opt: Request(folder, opt, steps=steps),
    }


def held_out(model: str, steps: int) -> Calibration:
    """Calls that nothing was calibrated with, of captions or of classes."""
    if model == "digits":
        return unprompted(MODELS[model], Amounts(held_out=2 * HELD_OUT, steps=steps)).held_out
    captions = [scene.caption() for scene in evaluation_scenes(HELD_OUT)]
    return recorded("held-out", captions, steps, HELD_OUT_SEED)


def decibels(program: CompiledProgram, against: list[Reference]) -> str:
    """Mean, then the worst call."""
    found = signal_to_noise(lambda inputs, step: program.answer(inputs, step=step, backend="c"), against)
    return f"{mean(found):.1f}, {min(found):.1f} dB"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--opt", action="append", help="a preset; may be given several times")
    parser.add_argument("--sources", default="recorded,nothing,alone")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    print("| model | samples | preset | not seen: mean, worst call | seen | samples, growth | wider |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for model in asked.models.split(","):
        unet = known_of(Request(MODELS[model])).model
        unseen = references(unet, held_out(model, asked.steps))
        for name, source in sources(model, asked.steps).items():
            for opt in (asked.opt or PRESETS) if name in asked.sources.split(",") else ():
                program, used = compile_with_samples(source(opt))
                assert used is not None
                seen = references(unet, few(used, 2 * HELD_OUT))
                ranges = entry_with(program.report, "growth")
                wide = len(entry_with(program.report, "wide-operands").get("wide-operands", ()))
                cells = (
                    *(model, name, opt, decibels(program, unseen), decibels(program, seen)),
                    *(f"{ranges['samples'] // asked.steps}, {100 * ranges['growth']:.1f} %", wide),
                )
                print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
