"""GroupNorm and LayerNorm as lowering emits them, against float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.passes.lowering.norms import lower_group_norm, lower_layer_norm

from .eager import EagerBuilder, found
from .numbers import SEEDS, STEP, integers, reals

aten = torch.ops.aten
EPSILON = 1e-5


def affine(builder: EagerBuilder, seed: int, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    return 1 + 0.4 * reals(seed + 1, channels), 0.5 * reals(seed + 2, channels)


def run(kind: str, x: torch.Tensor, scale: float, seed: int, groups: int) -> tuple[torch.Tensor, ...]:
    """Outputs, what they should be in output steps, and output steps per input step for each element.

    Ranges have a headroom of 2, as timestep-tables gives them.
    """
    builder = EagerBuilder()
    channels = x.shape[1] if kind == "group" else x.shape[-1]
    gamma, beta = affine(builder, seed, channels)
    source = builder.scaled_input(x, scale)
    weight, bias = builder.float_constant(gamma), builder.float_constant(beta)
    floats = x.double() * scale
    if kind == "group":
        wanted = torch.nn.functional.group_norm(floats, groups, gamma, beta, EPSILON)
        args: tuple[object, ...] = (source, groups, weight, bias, EPSILON)
        sets = floats.reshape(groups, -1)
        gain = (
            gamma[None, :, None, None] / deviation(sets).repeat_interleave(channels // groups)[:, None, None]
        )
    else:
        wanted = torch.nn.functional.layer_norm(floats, [channels], gamma, beta, EPSILON)
        args = (source, [channels], weight, bias, EPSILON)
        gain = gamma / deviation(floats)[..., None]
    output_scale = float(wanted.abs().max()) * 2 / 32767
    target = aten.group_norm.default if kind == "group" else aten.layer_norm.default
    node = builder.op(target, args, tuple(x.shape), output_scale)
    lower = lower_group_norm if kind == "group" else lower_layer_norm
    return found(builder, lower(builder, node)), wanted / output_scale, gain.abs() * scale / output_scale


def deviation(sets: torch.Tensor) -> torch.Tensor:
    return (sets.var(dim=-1, unbiased=False) + EPSILON).sqrt()


def codes(seed: int, deviation: float, mean: float, *shape: int) -> torch.Tensor:
    return (reals(seed, *shape) * deviation + mean).round().clamp(-32768, 32767).to(torch.int16)


@pytest.mark.parametrize("kind", ["group", "layer"])
@given(SEEDS, st.floats(1000, 12000), st.floats(-8000, 8000), st.floats(0.0005, 0.01))
def test_a_norm_is_real_within_a_step(kind: str, seed: int, spread: float, mean: float, scale: float) -> None:
    """Inputs with a spread of 1000 steps or more: those of a network that use their 16 bits."""
    shape = (1, 8, 6, 5) if kind == "group" else (1, 7, 24)
    y, wanted, _ = run(kind, codes(seed, spread, mean, *shape), scale, seed, 4)
    assert float((y.double() - wanted).abs().max()) <= 1


@pytest.mark.parametrize("kind", ["group", "layer"])
@given(SEEDS, st.floats(2, 1000), st.floats(-30000, 30000), st.floats(0.001, 10))
def test_narrow_inputs_lose_what_a_mean_of_a_32nd_step_loses(
    kind: str, seed: int, spread: float, mean: float, scale: float
) -> None:
    shape = (1, 8, 6, 5) if kind == "group" else (1, 7, 24)
    y, wanted, gain = run(kind, codes(seed, spread, mean, *shape), scale, seed, 4)
    inside = wanted.abs() < 32767
    # The mean is right to 1/32 of an input step; the deviation, for the same reason, to 2^-11 / spread^2.
    allowed = 0.51 + gain / 32 + wanted.abs() * 2.0**-9 / spread**2 + 2.0**-8
    assert bool(((y.double() - wanted).abs() <= allowed)[inside].all())


@pytest.mark.parametrize("kind", ["group", "layer"])
@pytest.mark.parametrize("value", [-32768, 0, 1, 32767])
def test_a_constant_input_gives_the_offset(kind: str, value: int) -> None:
    shape = (1, 8, 6, 5) if kind == "group" else (1, 7, 24)
    x = torch.full(shape, value, dtype=torch.int16)
    y, wanted, _ = run(kind, x, 0.001, 3, 4)
    assert float((y.double() - wanted).abs().max()) <= 0.51
    assert y.unique().numel() > 1, "each channel has its own"


@pytest.mark.parametrize("kind", ["group", "layer"])
def test_extreme_inputs_do_not_overflow(kind: str) -> None:
    shape = (1, 8, 64, 64) if kind == "group" else (1, 2, 4096)
    x = torch.where(torch.arange(torch.Size(shape).numel()).reshape(shape) % 2 == 0, -32768, 32767)
    y, wanted, _ = run(kind, x.to(torch.int16), 0.01, 3, 4)
    assert float((y.double() - wanted).abs().max()) <= 0.51


@given(SEEDS)
def test_each_group_may_have_an_epsilon_of_its_own(seed: int) -> None:
    """As if each were normalized alone."""
    x = integers(seed, -32768, 32767, 1, 3, 3, 8, dtype=torch.int16)
    gamma, beta = integers(seed, -(2**30), 2**30, 8).int(), integers(seed + 1, -(2**20), 2**20, 8).int()
    factors = [torch.tensor([number], dtype=torch.int32) for number in (2**28, 10, 2**20, 30)]

    def normalized(channels: slice, groups: int, epsilon: torch.Tensor) -> torch.Tensor:
        affine = (gamma[channels], *factors[:2], beta[channels], *factors[2:])
        found: torch.Tensor = torch.ops.dgqc.group_norm(x[..., channels], STEP, groups, *affine, epsilon)
        return found

    epsilon = torch.tensor([[1, 2**44]])
    whole = normalized(slice(0, 8), 2, epsilon)
    parts = [normalized(slice(4 * i, 4 * i + 4), 1, epsilon[:, i]) for i in range(2)]
    assert torch.equal(whole, torch.cat(parts, dim=-1))
