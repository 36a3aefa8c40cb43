"""With few samples, ranges of our own are no worse than one range per layer, on what was not seen."""

from __future__ import annotations

import pytest
from digits.model import PIPELINE

from dgqc.compare.candidates import candidate, simulation
from dgqc.compare.execution import build, call
from dgqc.compare.trajectory import signal_to_noise
from dgqc.compare.workload import Amounts, Workload, unprompted


def measured(opt: str, workload: Workload) -> list[float]:
    """Decibels at each call, simulated, so that ranges are all that differs."""
    program = build(simulation(candidate(opt)), workload)
    return signal_to_noise(lambda inputs, step: call(program, inputs, step), workload.references)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [2, 4, 8])
def test_never_below_one_range_per_layer(samples: int) -> None:
    """The digits, denoised from noise: so many to calibrate with, eight others to measure on."""
    workload = unprompted(PIPELINE, Amounts(calibration=samples, held_out=8, steps=4))
    ours, naive = (measured(opt, workload) for opt in ("w8a8,rounding=nearest", "naive-w8a8"))
    assert sum(ours) > sum(naive)
    # Eight pictures leave half a decibel to chance at a single call.
    assert min(ours) > min(naive) - 1
