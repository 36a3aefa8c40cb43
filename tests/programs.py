"""Small real programs at every level, and how to run them: for tests of passes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import architectures
import torch
from torch import fx

import dgqc.ir.ops  # noqa: F401  (registers the ops)
from dgqc.frontends import capture
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.program import Program
from dgqc.ir.schedule import Schedule
from dgqc.passes.base import Pass
from dgqc.passes.manager.pipeline import parse_pipeline

SCHEDULE = Schedule("PNDMScheduler", (900.0, 500.0, 500.0, 20.0))
"""A timestep that stands in it twice, as PNDM has one."""
BATCH = 4
FRONT = "fold-time-embedding,split-prologue"
PLANNING = (
    "insert-sites{{bits={bits}}},merge-quantizers,quantize-weights{{bits={weights}}},observe-ranges,"
    "outlier-dims,kmeans-groups{{groups=4}},log-quant{{scale={scale}}},timestep-tables"
)


def samples(name: str, step: int) -> Inputs:
    """The calibration batch of a call: random inputs of its own."""
    return architectures.example_inputs(_captured(name)[0], BATCH, seed=step)


@cache
def _captured(name: str) -> tuple[architectures.UNet, Program]:
    unet = getattr(architectures, name)()
    return unet, capture(unet, schedule=SCHEDULE, context_length=architectures.CONTEXT_LENGTH)


def captured(name: str) -> Program:
    """One of the small architectures with samples, as a copy that passes may change."""

    def read(step: int) -> Iterator[Inputs]:
        yield samples(name, step)

    calibration = Calibration(SCHEDULE, read, synthetic=True, origin="random numbers")
    return replace(own(_captured(name)[1]), calibration=calibration)


def own(program: Program) -> Program:
    """A copy whose graph passes may change."""
    return replace(copy.deepcopy(replace(program, calibration=None)), calibration=program.calibration)


def apply(program: Program, passes: str | Sequence[Pass]) -> Program:
    """The program behind the passes, which get a copy; levels are kept as the manager does."""
    program = own(program)
    for item in parse_pipeline(passes) if isinstance(passes, str) else passes:
        program = replace(item.run(program), level=item.leaves)
    return program


@cache
def _planned(name: str, bits: int, weights: int, scale: str) -> Program:
    plan = PLANNING.format(bits=bits, weights=weights, scale=scale)
    return apply(captured(name), f"{FRONT},split-start-token,{plan}")


def planned(name: str, bits: int = 8, weights: int = 8, scale: str = "row") -> Program:
    """The architecture with every decision made."""
    return own(_planned(name, bits, weights, scale))


@cache
def _lowered(name: str, bits: int, weights: int, scale: str) -> Program:
    return apply(planned(name, bits, weights, scale), "lower-integer")


def lowered(name: str, bits: int = 8, weights: int = 8, scale: str = "row") -> Program:
    """The architecture as integers."""
    return own(_lowered(name, bits, weights, scale))


def arguments(program: Program, inputs: Inputs) -> tuple[torch.Tensor, ...]:
    """The graph's float arguments, without the time: what the prologue makes of a model's inputs."""
    if program.prologue is None:
        return tuple(inputs[item.name] for item in program.inputs)
    names = [str(n.target) for n in program.prologue.graph.nodes if n.op == "placeholder"]
    results = program.prologue(*(inputs[name] for name in names))
    return tuple(results)


def run_float(program: Program, inputs: Inputs, step: int) -> torch.Tensor:
    """The output at a level with floats, float32."""
    named = dict(zip((item.name for item in program.inputs), arguments(program, inputs), strict=True))
    named["timestep"] = torch.tensor([program.schedule.timesteps[step]])
    named["step"] = torch.tensor(step)
    names = [str(n.target) for n in program.graph.graph.nodes if n.op == "placeholder"]
    with torch.no_grad():
        output: torch.Tensor = program.graph(*(named[name] for name in names))
    return output


def run_integer(program: Program, inputs: Inputs, step: int) -> torch.Tensor:
    """The output at the integer level for one sample, as the real values it stands for, float64."""
    assert program.output_scale is not None
    codes = []
    for value, item in zip(arguments(program, inputs), program.inputs, strict=True):
        rounded = torch.floor(value.double() / item.steps(step) + 0.5)
        codes.append(rounded.clamp(-32768, 32767).to(torch.int16))
    output: torch.Tensor = program.graph(*codes, torch.tensor(step))
    return output.double() * program.output_scale[step]


def same_bits(before: Program, after: Program, name: str) -> bool:
    """Whether two integer programs of an architecture give the same codes at each call, not few of them."""
    for step in range(len(SCHEDULE)):
        values = arguments(before, {key: value[:1] for key, value in samples(name, step).items()})
        codes = [(value * 8000).clamp(-32768, 32767).to(torch.int16) for value in values]
        one, other = (program.graph(*codes, torch.tensor(step)) for program in (before, after))
        if not torch.equal(one, other) or one.unique().numel() <= 100:
            return False
    return True


def calls(program: Program, target: object) -> list[fx.Node]:
    """The graph's calls of an op."""
    return [node for node in program.graph.graph.nodes if node.target is target]


def decibels(reference: torch.Tensor, found: torch.Tensor) -> float:
    """Signal to noise ratio of an approximation."""
    noise = (reference.double() - found.double()).square().sum()
    return float(10 * torch.log10(reference.double().square().sum() / noise))
