"""Models with massive channels against the ones that they equal, as integers: the range costs at most 1 dB.

    pytest -m slow tests/models/test_massive_integers.py -k "w8a8 and 30"

Every layer has the preset's bits (`keep=none`), so that nothing else can make up for what a range costs, and
weights are rounded to nearest, which takes no sample's side.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import fx

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.demo_model import load_pipeline
from dgqc.demo_model.massive import with_massive_channels, with_massive_context
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.schedule import Schedule

pytestmark = pytest.mark.slow
SCHEDULE = Schedule("DDIMScheduler", (501.0, 1.0))
TOKENS, WIDTH = 12, 128
MOST = 1.0
"""Decibels."""


def drawn(seed: int, factors: torch.Tensor) -> Inputs:
    generator = torch.Generator().manual_seed(seed)
    context = torch.randn(1, TOKENS, WIDTH, generator=generator)
    sample = torch.randn(1, 12, 16, 16, generator=generator)
    return {"sample": sample, "encoder_hidden_states": context * factors}


def decibels(unet: torch.nn.Module, opt: str, factors: torch.Tensor) -> list[float]:
    """Of a UNet's integers at each call, on samples that did not calibrate."""

    def read(step: int) -> Iterator[Inputs]:
        yield from (drawn(100 * step + seed, factors) for seed in range(8))

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="drawn at random")
    program, _ = lower(Request(unet, f"{opt},rounding=nearest,keep=none", calibration=calibration))
    assert program.output_scale is not None
    found = []
    for step, time in enumerate(SCHEDULE.timesteps):
        signal = noise = 0.0
        for seed in range(2):
            inputs = drawn(1000 + seed, factors)
            codes = []
            for item in program.inputs:
                steps = torch.round(inputs[item.name].double() / item.steps(step))
                codes.append(steps.clamp(-32768, 32767).to(torch.int16))
            y = fx.Interpreter(program.graph).run(*codes, torch.tensor(step))
            y = y.double() * program.output_scale[step]
            module: Any = unet
            with torch.no_grad():
                wanted = module(inputs["sample"], time, inputs["encoder_hidden_states"]).sample.double()
            signal += float(wanted.square().sum())
            noise += float((wanted - y).square().sum())
        found.append(float(10 * torch.log10(torch.tensor(signal / noise))))
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
