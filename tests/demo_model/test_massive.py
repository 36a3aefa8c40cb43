"""Massive channels: the float model computes what it did, and they are there."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from dgqc.demo_model import load_pipeline
from dgqc.demo_model.massive import with_massive_channels, with_massive_context


def decibels(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """Signal to noise."""
    noise = (wanted.double() - found.double()).square().sum().clamp(min=1e-300)
    return float(10 * torch.log10(wanted.double().square().sum() / noise))


@pytest.fixture(scope="module")
def unet() -> Any:
    return load_pipeline().unet.float().eval()


@pytest.fixture(scope="module")
def inputs() -> tuple[torch.Tensor, int, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn(1, 12, 16, 16, generator=generator)
    return sample, 500, torch.randn(1, 12, 128, generator=generator)


def spreads(unet: Any, inputs: tuple[Any, ...]) -> list[float]:
    """For each GroupNorm, by how much the largest channel of its input is above the smallest."""
    found: list[float] = []

    def seen(module: Any, given: Any, output: Any) -> None:
        largest = given[0].abs().amax(dim=(0, *range(2, given[0].dim())))
        found.append(float(largest.max() / largest.min()))

    norms = [module for module in unet.modules() if isinstance(module, torch.nn.GroupNorm)]
    hooks = [norm.register_forward_hook(seen) for norm in norms]
    with torch.no_grad():
        unet(*inputs)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("factor", [2.0**13, pytest.param(2.0**20, marks=pytest.mark.slow), 2.0**30])
def test_the_function_is_the_same(unet: Any, inputs: tuple[Any, ...], factor: float) -> None:
    changed: Any = with_massive_channels(unet, factor, context_length=12)
    with torch.no_grad():
        assert decibels(unet(*inputs).sample, changed(*inputs).sample) > 100
    mild, massive = spreads(unet, inputs), spreads(changed, inputs)
    assert max(mild) < 100
    assert sum(spread > factor / 2 for spread in massive) > len(massive) / 2


def test_a_massive_context(unet: Any, inputs: tuple[Any, ...]) -> None:
    changed, factors = with_massive_context(unet)
    made: Any = changed
    sample, time, context = inputs
    with torch.no_grad():
        assert decibels(unet(*inputs).sample, made(sample, time, context * factors).sample) > 100
        assert decibels(unet(*inputs).sample, made(*inputs).sample) < 60
    assert sorted(factors.tolist())[-5:] == [1.0] + [2.0**20] * 4
