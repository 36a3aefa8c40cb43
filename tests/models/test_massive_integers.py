"""Models with massive channels against the ones that they equal, as integers: the range costs at most 1 dB.

    pytest -m slow tests/models/test_massive_integers.py -k "w8a8 and 30"

Every layer has the preset's bits (`keep=none`), so that nothing else can make up for what a range costs, and
weights are rounded to nearest, which takes no sample's side. One sample tells little: errors of two equal
models fall out differently, and by themselves lie up to 1.3 dB apart either way, so 24 are measured.
`benchmarks/stress.py` has the same for each place by itself, and for the digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch

import dgqc
from dgqc.demo_model import load_pipeline
from dgqc.demo_model.massive import with_massive_channels, with_massive_context
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.schedule import Schedule

pytestmark = pytest.mark.slow
SCHEDULE = Schedule("DDIMScheduler", (501.0, 1.0))
TOKENS, WIDTH = 12, 128
MEASURED = 24
MOST = 1.0
"""Decibels."""


def drawn(seeds: range, factors: torch.Tensor) -> Inputs:
    """A sample for each seed."""
    found: dict[str, list[torch.Tensor]] = {"sample": [], "encoder_hidden_states": []}
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        context = torch.randn(TOKENS, WIDTH, generator=generator)
        found["sample"].append(torch.randn(12, 16, 16, generator=generator))
        found["encoder_hidden_states"].append(context * factors)
    return {name: torch.stack(values) for name, values in found.items()}


def decibels(unet: torch.nn.Module, opt: str, factors: torch.Tensor) -> list[float]:
    """Of a UNet's integers in C at each call, on samples that did not calibrate; means over these."""

    def read(step: int) -> Iterator[Inputs]:
        yield drawn(range(100 * step, 100 * step + 8), factors)

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="drawn at random")
    program = dgqc.compile(unet, f"{opt},rounding=nearest,keep=none", calibration=calibration, check=False)
    inputs = drawn(range(1000, 1000 + MEASURED), factors)
    found = []
    for step, time in enumerate(SCHEDULE.timesteps):
        module: Any = unet
        with torch.no_grad():
            wanted = module(inputs["sample"], time, inputs["encoder_hidden_states"]).sample.double()
        error = wanted - program.answer(inputs, step=step, backend="c").double()
        signal, noise = (each.square().flatten(1).sum(1) for each in (wanted, error))
        found.append(float((10 * torch.log10(signal / noise)).mean()))
    return found


@cache
def unet() -> torch.nn.Module:
    model: torch.nn.Module = load_pipeline().unet.float().eval()
    return model


@cache
def ordinary(opt: str) -> list[float]:
    return decibels(unet(), opt, torch.ones(WIDTH))


@pytest.mark.parametrize("octaves", [13, 20, 30])
@pytest.mark.parametrize("opt", ["w8a8", "w4a6"])
def test_massive_channels(opt: str, octaves: int) -> None:
    """In the residual stream, in skips, before norms and in queries."""
    massive = with_massive_channels(unet(), 2.0**octaves, context_length=TOKENS)
    found = decibels(massive, opt, torch.ones(WIDTH))
    print(opt, octaves, ordinary(opt), found)
    assert min(one - other for one, other in zip(found, ordinary(opt), strict=True)) > -MOST


@pytest.mark.parametrize("octaves", [13, 20, 30])
@pytest.mark.parametrize("opt", ["w8a8", "w4a6"])
def test_a_massive_context(opt: str, octaves: int) -> None:
    """In a text's embedding."""
    massive, factors = with_massive_context(unet(), 2.0**octaves)
    found = decibels(massive, opt, factors)
    print(opt, octaves, ordinary(opt), found)
    assert min(one - other for one, other in zip(found, ordinary(opt), strict=True)) > -MOST
