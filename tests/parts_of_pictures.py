"""Which part of a plan costs whole pictures how much: rounding, clipping, weights, each alone.

    PYTHONPATH=tests python tests/parts_of_pictures.py MODEL [w8a8] [PROMPTS] [PICTURES] [STEPS]

takes a pipeline that knows the demo model's words, calibrates it with so many prompts and draws others by the
simulation of a part of its plan. Prints the peak signal to noise beside the float model's pictures: mean,
least, and of each picture.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from parts_of_error import PARTS, Rounding, Simulated, all_of_it, sixteen

from dgqc.compare.candidates import candidate, simulation
from dgqc.compare.drawing import draw
from dgqc.compare.judges import PixelJudge
from dgqc.compare.store import Store
from dgqc.compare.workload import Amounts, Workload, demo
from dgqc.execution.named_step import named_step, one_timestep
from dgqc.ir.calibration import Inputs
from dgqc.ir.program import Program
from dgqc.passes.manager.manager import PassManager

RECORDINGS = Path("build/tables/measured")


def whole(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    return sixteen(all_of_it(value, plan, step), plan, step)


class PartDrawn:
    """Stands in the UNet's place. program: planned."""

    def __init__(self, program: Program, rounding: Rounding | None, weights: bool) -> None:
        self.program, self.part = program, Simulated(program, rounding, weights)

    def answer(self, inputs: Inputs, timestep: torch.Tensor | float | None = None, **_: Any) -> torch.Tensor:
        time = None if timestep is None else one_timestep(timestep)
        return self.part.answers(inputs, named_step(self.program.schedule, time, None))


def planned(opt: str, workload: Workload) -> Program:
    passes = [one for one in simulation(candidate(opt)).pipeline if one.name != "simulate"]
    return PassManager(passes).run(workload.start.program[0])


def main(model: str, opt: str = "w8a8", prompts: str = "8", pictures: str = "32", steps: str = "25") -> None:
    sizes = Amounts(steps=int(steps), calibration=int(prompts), held_out=1, pictures=int(pictures))
    workload = demo(Store(RECORDINGS), sizes, PixelJudge(), Path(model))
    drawing, judge, program = workload.drawings[""], PixelJudge(), planned(opt, workload)
    beside = draw(drawing, None)
    for name, (rounding, weights) in {"all": (whole, True), **PARTS}.items():
        drawn = draw(drawing, PartDrawn(program, rounding, weights))
        pairs = zip(drawn, beside, strict=True)
        peaks = [judge.judge(one[None], [""], other[None])["psnr_float"] for one, other in pairs]
        each = " ".join(f"{peak:.0f}" for peak in peaks)
        print(f"{name}: {sum(peaks) / len(peaks):.1f}, {min(peaks):.1f} dB: {each}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
