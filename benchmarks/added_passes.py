"""Passes of other methods, each added to the default alone: what is it worth on the demo model?

    python benchmarks/added_passes.py --steps 8 [--opt w4a4,branches=none] [--model FOLDER]
        [--add PASSES] [--first OLD=NEW]

The default's plan is made once, without `keep-wide`, and every row goes on from there. All are simulated.
Calls: signal to noise of the output on the float model's own trajectories, mean of all calls. Picture: of
what the scheduler ends with, where the quantized model draws by itself from the same noise; PSNR: the same by
the range of its values, -1 to 1, mean of the pictures. MB: of weights' codes. 16 bits: share of
multiply-adds of layers that read 16-bit values. Seconds: of the passes in the row.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import fx

from dgqc.cli.console import quiet_libraries
from dgqc.compare import candidate
from dgqc.compare.store import Store
from dgqc.compare.trajectory import decibels
from dgqc.compare.workload import Amounts, Workload, demo
from dgqc.demo_model import pipeline_dir
from dgqc.ir.caching import CachingGraph, FeatureCache
from dgqc.ir.calibration import Calibration, samples_in
from dgqc.ir.plans import Weight
from dgqc.ir.program import Program
from dgqc.ir.sampler import Sampler, Walk
from dgqc.passes.correction.pictures import (
    SAMPLE,
    answered,
    at_model,
    first_samples,
    guided,
    picture_rows,
    sampler_and_guidance,
)
from dgqc.passes.manager.failures import snapshot
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import format_pipeline, parse_pipeline
from dgqc.passes.simulation.block_interpreter import BlockInterpreter
from dgqc.passes.simulation.simulate import Simulate
from dgqc.passes.widths.every_width import bytes_of
from dgqc.passes.widths.price import price

LATE = ("keep-wide", "measure-error", "lower-integer")
ADDED = (
    "correct-output",
    "correct-output{method=tac}",
    "correct-output{method=ptqd}",
    "correct-input",
    "correct-output,correct-input",
    "correct-schedule",
    "correct-output,correct-schedule",
    "assign-bits{budget=3.5}",
    "assign-bits{budget=4}",
    "keep-wide{poor=99,enough=31}",
    "keep-wide{poor=99,enough=34}",
    "keep-wide{poor=99,enough=37}",
    "keep-wide{poor=99,enough=40}",
    "keep-wide{poor=99,enough=34},correct-output",
)
"""What is added where nothing is asked for."""
CHANGED = (
    "merge-quantizers,=merge-quantizers,low-rank,",
    "merge-quantizers,=merge-quantizers,low-rank{share=20},",
    "merge-quantizers,=merge-quantizers,rotate,",
    "merge-quantizers,=merge-quantizers,rotate,low-rank,",
    "balance-channels=balance-channels{method=dilate,gain=0.1}",
    "balance-channels=balance-channels{method=learned,gain=0.5}",
)
"""What else the pipeline is, then."""
MEGA = 10**6
RANGE = 2.0
"""Of a picture's values."""


class _InSequence(fx.Interpreter):
    """A simulated graph whose calls follow one another: shallow ones read what a full one left."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self._calls, self._cache = CachingGraph(graph), FeatureCache()

    def run(self, *given: torch.Tensor, **_: object) -> torch.Tensor:
        *inputs, step = given
        if not self._calls.kinds.sources:
            return super().run(*given)  # type: ignore[no-any-return]
        return self._calls.run(self._cache, int(step), *inputs)


class Pictures:
    """Pictures that calibration has not seen, as the float model draws them, and how others come out."""

    def __init__(self, program: Program, held_out: Calibration) -> None:
        """program: whose float graph is the model."""
        unseen = replace(program, calibration=held_out)
        self.sampler, self.guidance = sampler_and_guidance(unseen, "this")
        self.inputs = first_samples(unseen, sum(samples_in(one) for one in held_out.read(0)), "this")
        self.rows = picture_rows(self.inputs[SAMPLE], self.guidance)
        self.first = self.inputs[SAMPLE][[row[0] for row in self.rows]] / self.sampler.inputs[0]
        network = BlockInterpreter(program)
        self.states, self.answers = self._drawn(program, network, self.sampler)

    def decibels(self, program: Program) -> tuple[float, float, float]:
        """Of calls on the float model's states, of the picture that is drawn by itself, and its peak's."""
        graph = Simulate().run(replace(program, graph=snapshot(program))).graph
        network = _InSequence(graph)
        calls = [
            decibels(wanted, self._answer(program, network, self.states[step], step))
            for step, wanted in enumerate(self.answers)
        ]
        factors = program.step_factors
        sampler = self.sampler if factors is None else self.sampler.times(factors)
        states, _ = self._drawn(program, _InSequence(graph), sampler)
        found = decibels(self.states[-1], states[-1])
        return statistics.fmean(calls), found, statistics.fmean(_peaks(self.states[-1], states[-1]))

    def _drawn(
        self, program: Program, network: fx.Interpreter, sampler: Sampler
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        walk, answers = Walk(sampler, self.first), []
        generator = torch.Generator().manual_seed(0)
        for step in range(len(self.sampler)):
            answers.append(self._answer(program, network, walk.state, step))
            noise = torch.randn(self.first.shape, generator=generator)
            walk.follow(guided(answers[-1], self.rows, self.guidance), noise)
        return walk.states, answers

    def _answer(
        self, program: Program, network: fx.Interpreter, state: torch.Tensor, step: int
    ) -> torch.Tensor:
        sample = at_model(state, self.rows, self.sampler.inputs[step])
        return answered(program, network, self.inputs, sample, step)


def _peaks(wanted: torch.Tensor, found: torch.Tensor) -> list[float]:
    """Peak signal to noise of each picture, whose values go from -1 to 1, in decibels."""
    noise = (wanted - found).double().square().flatten(1).mean(dim=1)
    return (10 * torch.log10(RANGE**2 / noise)).tolist()


def megabytes(program: Program) -> float:
    """Of weights' codes."""
    plans = [one for one in program.plans.values() if isinstance(one, Weight)]
    return bytes_of(plans) / MEGA


def run(program: Program, passes: str) -> tuple[Program, float]:
    """A copy of the program behind passes, and their seconds."""
    start = time.perf_counter()
    done = PassManager(parse_pipeline(passes)).run(replace(program, graph=snapshot(program)))
    return done, time.perf_counter() - start


def _workload(given: argparse.Namespace) -> Workload:
    amounts = Amounts(given.calibration, given.held_out, 0, given.steps)
    return demo(Store(given.output), amounts, None, given.model)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--opt", default="w4a4,branches=none")
    parser.add_argument(
        "--model", type=Path, default=pipeline_dir(), help="a pipeline with the demo's grammar"
    )
    parser.add_argument("--add", action="append", help="passes; again for another row")
    parser.add_argument("--first", action="append", default=[], help="OLD=NEW in the pipeline's text")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--calibration", type=int, default=32, help="prompts")
    parser.add_argument("--held-out", type=int, default=4, help="prompts")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/added-passes"))
    return parser.parse_args()


def main() -> None:
    """See the module's docstring."""
    given = _given()
    quiet_libraries()
    torch.set_num_threads(1)
    workload = _workload(given)
    captured = workload.start.program[0]
    calibration = captured.calibration
    assert calibration is not None
    held_out = replace(workload.held_out, sampler=calibration.sampler)
    preset = ",".join(
        format_pipeline([one]) for one in parse_pipeline(candidate(given.opt).passes) if one.name not in LATE
    )
    pictures: Pictures | None = None
    whole: Program | None = None

    def row(name: str, program: Program, seconds: float) -> None:
        assert pictures is not None
        calls, picture, peak = pictures.decibels(program)
        wide = price(whole or program, program)["sixteen-bit-percent"]
        figures = (
            f"{calls:.2f}",
            f"{picture:.2f}",
            f"{peak:.2f}",
            f"{megabytes(program):.2f}",
            f"{wide:g} %",
            f"{seconds:.0f}",
        )
        print(f"| {name} | {' | '.join(figures)} |", flush=True)

    print(
        "| | calls dB | picture dB | PSNR dB | weights MB | 16 bits | seconds |\n"
        "| --- | --- | --- | --- | --- | --- | --- |"
    )
    changes = given.first or (() if given.add else CHANGED)
    for change in ["", *changes]:
        text = preset
        if change:
            old, new = change.split("=", 1)
            if old not in text:
                raise SystemExit(f"{old} doesn't stand in the pipeline.")
            text = text.replace(old, new)
        copied = replace(copy.deepcopy(replace(captured, calibration=None)), calibration=calibration)
        planned, seconds = run(copied, text)
        pictures = pictures or Pictures(planned, held_out)
        whole = planned if not change else whole
        row(change or given.opt, planned, seconds)
    assert whole is not None
    for passes in given.add or ADDED:
        row(f"`{passes}`", *run(whole, passes))


if __name__ == "__main__":
    main()
