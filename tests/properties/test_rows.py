"""RMSNorm, means, softmax and masks as lowering emits them, against float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.ir.ops.logits import add_logits
from dgqc.ir.ops.mean import mean
from dgqc.ir.ops.softmax import softmax
from dgqc.passes.lowering.rows import lower_mean, lower_rms_norm, lower_shares
from dgqc.passes.lowering.scores import add_to_logits
from dgqc.passes.lowering.values import Logits

from .eager import EagerBuilder, found
from .numbers import SEEDS, STEP, integers, reals

aten = torch.ops.aten


def codes(seed: int, spread: float, *shape: int) -> torch.Tensor:
    return (reals(seed, *shape) * spread).round().clamp(-32768, 32767).to(torch.int16)


@given(SEEDS, st.integers(1, 400), st.floats(10, 30000), st.floats(1e-5, 10))
def test_a_root_norm_is_real_within_a_step(seed: int, length: int, spread: float, scale: float) -> None:
    builder = EagerBuilder()
    x, gain = codes(seed, spread, 1, 5, length), 1 + 0.4 * reals(seed + 1, length)
    real = torch.nn.functional.rms_norm(x.double() * scale, (length,), gain, 1e-6)
    output_scale = max(float(real.abs().max()), 1e-6) * 2 / 32767
    args = (builder.scaled_input(x, scale), [length], builder.float_constant(gain), 1e-6)
    node = builder.op(aten.rms_norm.default, args, tuple(x.shape), output_scale)
    y = found(builder, lower_rms_norm(builder, node))
    # Epsilon is a whole number of 1/256 squared steps, at least one.
    energy = x.double().square().sum(-1, keepdim=True).clamp(min=1)
    allowed = 0.51 + (real / output_scale).abs() / (512 * energy)
    assert bool(((y.double() - real / output_scale).abs() <= allowed).all())


@given(SEEDS, st.integers(1, 3000), st.floats(1, 30000))
def test_a_mean_is_real_within_a_step(seed: int, length: int, spread: float) -> None:
    builder = EagerBuilder()
    x = codes(seed, spread, 1, 3, length)
    real = x.double().mean(-1, keepdim=True) * 0.01
    output_scale = max(float(real.abs().max()), 1e-6) * 2 / 32767
    node = builder.op(aten.mean.dim, (builder.scaled_input(x, 0.01), [2], True), (1, 3, 1), output_scale)
    y = found(builder, lower_mean(builder, node))
    assert float((y.double() - real / output_scale).abs().max()) < 0.501


@given(SEEDS, st.integers(1, 300), st.floats(1e-6, 1e-2))
def test_shares_are_real_within_a_step(seed: int, length: int, scale: float) -> None:
    builder = EagerBuilder()
    x = codes(seed, 8000, 1, 4, length)
    real = (x.double() * scale).softmax(-1)
    output_scale = float(real.max()) / 32767
    args = (builder.scaled_input(x, scale), -1)
    node = builder.op(aten.softmax.int, args, tuple(x.shape), output_scale)
    y = found(builder, lower_shares(builder, node))
    # Half a step, and what 2^-z of the numbers and their sum is off: 2^-16 of the share.
    assert float((y.double() - real / output_scale).abs().max()) < 0.5 + 32767 * 2.0**-15


def test_shares_of_far_rows_do_not_overflow() -> None:
    x = torch.tensor([[[-32768, 32767, 32767]]], dtype=torch.int16)
    most = torch.tensor([2**31 - 1], dtype=torch.int32)
    one, thirty = torch.tensor([1], dtype=torch.int32), torch.tensor([30], dtype=torch.int32)
    assert softmax(x, STEP, most, one, torch.tensor([2**15], dtype=torch.int32), thirty).tolist() == [
        [[0, 16384, 16384]]
    ]
    assert mean(x, STEP, most, torch.tensor([31], dtype=torch.int32)).tolist() == [[[32766]]]


def logits_with(bias: torch.Tensor, scale: float | None, factor: float, before: torch.Tensor) -> torch.Tensor:
    """Logits and a bias, a constant where it has no scale, in a graph that scales their sum by a factor."""
    builder = EagerBuilder()
    scores = builder.input(Logits(before), *before.shape)  # type: ignore[arg-type]
    side = builder.float_constant(bias) if scale is None else builder.scaled_input(bias, scale)
    node = builder.op(aten.add.Tensor, (scores, side), tuple(before.shape))
    scaled = builder.op(aten.mul.Tensor, (node, factor), tuple(before.shape))
    builder.op(aten.softmax.int, (scaled, -1), tuple(before.shape))
    # What `scores_of` asks: the scores come from a product.
    scores.op, scores.target = "call_function", aten.matmul.default
    value = add_to_logits(builder, node)
    assert isinstance(value, Logits)
    assert isinstance(value.node, torch.Tensor)
    return value.node


@pytest.mark.parametrize("constant", [False, True])
@given(seed=SEEDS, factor=st.floats(0.05, 2), largest=st.floats(0.01, 60))
def test_a_bias_is_added_in_octaves(constant: bool, seed: int, factor: float, largest: float) -> None:
    before = integers(seed, -(2**24), 2**24, 1, 2, 5, 7, dtype=torch.int32)
    bias = integers(seed + 1, -32768, 32767, 2, 5, 7, dtype=torch.int16)
    scale = largest / 32767
    y = logits_with(bias.double() * scale if constant else bias, None if constant else scale, factor, before)
    real = before.double() + bias.double() * scale * factor * math.log2(math.e) * 65536
    assert float((y.double() - real).abs().max()) <= 0.5 + largest * factor * 65536 * 2.0**-28


def test_a_mask_shuts_whatever_it_masks() -> None:
    before = torch.full((1, 1, 1, 2), 2**30, dtype=torch.int32)
    y = logits_with(torch.tensor([0.0, -1e30]), None, 1.0, before)
    assert y.flatten().tolist() == [2**30, 0]
    ends = (torch.tensor([2**30]), torch.tensor([1]))
    low = add_logits(before, torch.tensor([[-(2**31)]], dtype=torch.int32), STEP, *ends)
    assert low.flatten().tolist() == [-(2**31)] * 2, "it saturates"
