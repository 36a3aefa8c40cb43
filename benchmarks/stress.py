"""Massive channels against the models that they equal, as integers in C: a place and a factor a row.

    python benchmarks/stress.py [--models demo,digits] [--octaves 13,20,30]
        [--opt w8a8,rounding=nearest,keep=none --opt ...] [--places residual,skips,norms,logits,context]

Both are calibrated with the same pictures, which the model's own pipeline draws, and measured on others that
calibrated neither. Prints a Markdown table: signal to noise at each call, what the worst call loses, and the
least of "integers without quantization" over all calls, on a sample that calibrated.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import dgqc
from dgqc.compare.trajectory import references, signal_to_noise
from dgqc.compare.workload import Amounts, Workload, unprompted
from dgqc.demo_model import pipeline_dir
from dgqc.demo_model.massive import Place, with_massive_channels, with_massive_context
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.passes.manager.presets import pipeline_for
from dgqc.report.report import entry_with

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MODELS = {"demo": pipeline_dir(), "digits": EXAMPLES / "microcontroller/pipeline"}
CONTEXT, TEXT = "context", "encoder_hidden_states"
ALL = "all"
"""Every place but the context at once."""
PRESETS = ("w8a8,rounding=nearest,keep=none", "w4a6,rounding=nearest,keep=none")
"""Nothing makes up for what a range costs, and no rounding takes a sample's side."""
SIZES = Amounts(calibration=8, held_out=16, pictures=0, steps=4)


@dataclass(frozen=True)
class Measured:
    """Of a program. calls: dB at each. integers: the least where only 16-bit values are rounded."""

    calls: list[float]
    integers: float


def measured(unet: torch.nn.Module, opt: str, calibration: Calibration, held_out: Calibration) -> Measured:
    """Compiles, and runs in C what calibrated nothing."""
    steps = len(calibration.schedule)
    passes = pipeline_for(opt).replace("measure-error", f"measure-error{{calls={steps}}}")
    program = dgqc.compile(unet, pass_pipeline=passes, calibration=calibration, check=False)
    calls = signal_to_noise(
        lambda inputs, step: program.answer(inputs, step=step, backend="c"), references(unet, held_out)
    )
    return Measured(calls, min(entry_with(program.report, "integers")["integers"].values()))


def scaled(samples: Calibration, factors: torch.Tensor) -> Calibration:
    """The samples with channels of their contexts multiplied."""

    def read(step: int) -> Iterator[Inputs]:
        for inputs in samples.read(step):
            yield {**inputs, TEXT: inputs[TEXT] * factors}

    return replace(samples, read=read)


def variant(work: Workload, place: str, factor: float) -> tuple[torch.nn.Module, Calibration, Calibration]:
    """A UNet that computes the same, and both sets of samples as it takes them."""
    if place == CONTEXT:
        unet, factors = with_massive_context(work.unet, factor)
        return unet, scaled(work.calibration, factors), scaled(work.held_out, factors)
    shapes: dict[str, Any] = {}
    if (inputs := next(work.calibration.read(0))).keys() >= {TEXT}:
        shapes["context_length"] = inputs[TEXT].shape[1]
    places = list(Place) if place == ALL else [Place(place)]
    return with_massive_channels(work.unet, factor, places=places, **shapes), work.calibration, work.held_out


def rows(work: Workload, opt: str, places: list[str], octaves: list[int]) -> Iterator[str]:
    """Of one model at one preset."""
    own = measured(work.unet, opt, work.calibration, work.held_out)
    yield cells("itself", own, own)
    for place in places:
        if place == CONTEXT and TEXT not in next(work.calibration.read(0)):
            continue
        for octave in octaves:
            unet, calibration, held_out = variant(work, place, 2.0**octave)
            yield cells(f"{place}, 2^{octave}", measured(unet, opt, calibration, held_out), own)


def cells(variant: str, found: Measured, own: Measured) -> str:
    """A row's end."""
    calls = ", ".join(f"{one:.1f}" for one in found.calls)
    loss = max(before - after for before, after in zip(own.calls, found.calls, strict=True))
    return f"{variant} | {calls} | {loss:.2f} | {found.integers:.1f} |"


def main() -> None:
    """Prints the table row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--opt", action="append", help="a preset; may be given several times")
    parser.add_argument("--octaves", default="13,20,30")
    parser.add_argument("--places", default=",".join([*Place, CONTEXT]))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    places, octaves = asked.places.split(","), [int(one) for one in asked.octaves.split(",")]
    print("| model | preset | massive | calls, dB | worst call loses | integers alone |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in asked.models.split(","):
        work = unprompted(MODELS[name], SIZES)
        for opt in asked.opt or PRESETS:
            for row in rows(work, opt, places, octaves):
                print(f"| {name} | `{opt}` | {row}", flush=True)


if __name__ == "__main__":
    main()
