"""Signal to noise of a planned program's output, as its plans round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from ...ir.calibration import Calibration, Inputs, reads, samples_in
from ...ir.program import Program
from ...ir.ranks import shared_out
from ..graph.batches import arguments, call_bytes
from ..manager.failures import snapshot
from ..simulation.block_interpreter import BlockInterpreter
from ..simulation.simulate import Simulate

Sample = tuple[torch.Tensor, ...]
"""A graph's arguments, without the step."""


def samples_of(program: Program, steps: Sequence[int]) -> Mapping[int, Sequence[Sample]]:
    """The first and the last sample of each call; one where there is no other."""
    assert program.calibration is not None
    return {step: _ends(program, batches) for step, batches in _batches(program.calibration, steps)}


def _batches(calibration: Calibration, steps: Sequence[int]) -> Sequence[tuple[int, Sequence[Inputs]]]:
    return [(step, list(batches)) for step, batches in reads(calibration, steps)]


def _ends(program: Program, batches: Sequence[Inputs]) -> Sequence[Sample]:
    first = {name: value[:1] for name, value in batches[0].items()}
    last = {name: value[-1:] for name, value in batches[-1].items()}
    one = len(batches) == 1 and samples_in(batches[0]) == 1
    return [real for part in ([first] if one else [first, last]) for real in arguments(program, part)]


def outputs_of(program: Program, samples: Mapping[int, Sequence[Sample]]) -> Mapping[int, torch.Tensor]:
    """What the float graph makes of the last sample of each call, as far as nobody knows it yet.

    samples: as `samples_of` has them.
    """
    assert program.calibration is not None
    known = {
        step: program.calibration.answers[step].last
        for step in samples
        if step in program.calibration.answers
    }
    missing = [step for step in samples if step not in known]

    def wanted(step: int) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = BlockInterpreter(program).run(*samples[step][-1], torch.tensor(step))
        return found

    found = zip(missing, shared_out(wanted, missing, call_bytes(program, 1)), strict=True)
    return known | dict(found)


def decibels(
    program: Program, samples: Mapping[int, Sequence[Sample]], wanted: Mapping[int, torch.Tensor]
) -> Mapping[int, float]:
    """Of each call's last sample, simulated: 10 log10(sum y^2 / sum (y - y^)^2)."""
    simulated = Simulate().run(replace(program, graph=snapshot(program)))

    def of_call(step: int) -> float:
        with torch.no_grad():
            found = BlockInterpreter(simulated).run(*samples[step][-1], torch.tensor(step)).double()
        y = wanted[step].double()
        noise = float((y - found).square().sum())
        return 10 * math.log10(max(float(y.square().sum()), 1e-300) / max(noise, 1e-300))

    return dict(zip(samples, shared_out(of_call, samples, call_bytes(program, 1)), strict=True))
