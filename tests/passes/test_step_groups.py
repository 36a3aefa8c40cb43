"""`step-groups`: DGQ's own quantizer, call by call."""

from __future__ import annotations

import pytest
import torch
from programs import BATCH, FRONT, apply, arguments, captured, decibels, planned, run_float, samples
from torch.nn.functional import unfold

from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.ops.simulate import fake_quantize, fake_quantize_stepped
from dgqc.ir.plans import Dimension, Operand, Ranges, Role, SteppedOperand
from dgqc.ir.program import Program
from dgqc.passes.activations.kmeans_groups import cluster
from dgqc.passes.activations.step_groups import quantizer, ranges_of
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline

NAME = "only_cross_attention"
LINEAR = Operand(Role.LINEAR, 4, False)


def exact(groups: int, bits: int = 4) -> Program:
    sites = f"insert-sites{{bits={bits}}},merge-quantizers,quantize-weights"
    return apply(
        captured(NAME), f"{FRONT},split-start-token,{sites},step-groups{{groups={groups}}},log-quant"
    )


def test_one_group_is_the_range_of_the_whole() -> None:
    low, high = torch.tensor([-1.0, -3.0, 0.0]), torch.tensor([2.0, 1.0, 12.0])
    found = quantizer(LINEAR, (low, high, low[:2], high[:2]), groups=1)
    assert found.dimension is Dimension.CHANNEL
    assert found.group.tolist() == [0] * 3
    assert found.scale.tolist() == [1.0] * 3
    assert found.zero.tolist() == [3.0] * 3


def test_zeros_are_not_clamped() -> None:
    low, high = torch.tensor([30.0, -1.0]), torch.tensor([45.0, 14.0])
    found = quantizer(LINEAR, (low, high, torch.zeros(2), torch.zeros(2)), groups=2)
    assert found.group.tolist() == [0, 1]
    assert found.scale.tolist() == [1.0, 1.0]
    assert found.zero.tolist() == [-30.0, 1.0]


def test_scales_and_zeros_are_those_of_single_precision() -> None:
    """As the released code computes, so that its quantizers and ours agree in every bit."""
    torch.manual_seed(6)
    x = torch.randn(4, 16, 40) * torch.linspace(0.2, 9, 40) + torch.linspace(-3, 2, 40)
    found = quantizer(LINEAR, ranges_of(x, Role.LINEAR), groups=8)
    for one in range(8):
        members = x[..., found.group == one]
        scale = (members.max() - members.min()) / 15
        assert found.scale[found.group == one].unique().tolist() == [float(scale)]
        assert found.zero[found.group == one].unique().tolist() == [float((-members.min() / scale).round())]


@pytest.mark.parametrize(("role", "channels"), [(Role.LINEAR, False), (Role.CONVOLUTION, True)])
def test_a_tie_goes_to_the_first_axis_of_the_matrix(role: Role, channels: bool) -> None:
    low, high = torch.tensor([0.0, -1.0]), torch.tensor([1.0, 4.0])
    found = quantizer(Operand(role, 4, False), (low, high, low, high), groups=2)
    assert (found.dimension is Dimension.CHANNEL) == channels


def test_groups_along_one_axis_quantize_as_with_one_table_of_groups() -> None:
    torch.manual_seed(5)
    x = torch.randn(2, 5, 7) * torch.rand(7) * 8
    one = quantizer(LINEAR, ranges_of(x, Role.LINEAR), groups=3)
    assert one.dimension is Dimension.CHANNEL
    scale, zero = one.scale[None].float(), one.zero[None].float()
    still = torch.ones(1, 5), torch.zeros(1, 5)
    step = torch.tensor(0)
    found = fake_quantize_stepped(x, step, scale, zero, *still, 2, 1, 4)
    assert torch.equal(found, fake_quantize(x, step, scale, zero, torch.arange(7), 2, 4))
    assert float((found - x).abs().max()) <= 0.51 * float(scale.max())
    assert len(one.scale.unique()) == int(one.group.max()) + 1 == 3


def test_ranges_lie_where_the_role_says() -> None:
    x = torch.tensor([[[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]]])
    rows = ([1.0, -2.0, -6.0], [4.0, 5.0, 3.0], [-2.0, -6.0], [3.0, 5.0])
    for role in Role:
        found = [part.tolist() for part in ranges_of(x, role)]
        assert tuple(found) == (rows if role in (Role.LINEAR, Role.LEFT) else (*rows[2:], *rows[:2]))
    assert [len(part) for part in ranges_of(x[0], Role.LINEAR)] == [3, 3, 1, 1]


def test_a_convolution_is_grouped_by_taps_or_output_pixels() -> None:
    program = exact(4)
    plan = program.plans["conv_in.input"]
    assert isinstance(plan, SteppedOperand)
    x = arguments(program, samples(NAME, 0))[0]
    patches = unfold(x, 3, padding=1)
    assert (plan.channels, plan.pixels) == tuple(patches.shape[1:])
    assert len(plan.calls) == 4
    # The first call's, computed the long way.
    first = plan.calls[0]
    axis = 1 if first.dimension is Dimension.CHANNEL else 2
    assert len(first.scale) == patches.shape[axis]
    low, high = patches.amin(dim=(0, 3 - axis)), patches.amax(dim=(0, 3 - axis))
    assert torch.equal(first.group, cluster(Ranges(low[None], high[None]), 4, torch.float32))
    for one in range(int(first.group.max()) + 1):
        members = first.group == one
        wide = (float(high[members].max()) - float(low[members].min())) / (2**plan.operand.bits - 1)
        assert first.scale[members].tolist() == pytest.approx([wide] * int(members.sum()), rel=1e-6)


def test_the_simulation_gets_better_with_groups() -> None:
    found = []
    for groups in (1, 8):
        done = apply(exact(groups), "simulate")
        real = torch.stack([run_float(captured(NAME), samples(NAME, call), call) for call in range(4)])
        quantized = torch.stack([run_float(done, samples(NAME, call), call) for call in range(4)])
        assert quantized.shape[1] == BATCH
        found.append(decibels(real, quantized))
    assert found[1] > found[0] + 1


def test_levels_are_verified_and_integers_refused() -> None:
    program = PassManager(parse_pipeline("simulate")).run(_with_facts(exact(2)))
    assert program.level is Level.SIMULATED
    with pytest.raises(DgqcError, match="grouped anew at each call, which has no integer form"):
        PassManager(parse_pipeline("lower-integer")).run(_with_facts(exact(2)))


def _with_facts(program: Program) -> Program:
    from dataclasses import replace

    return replace(program, facts=frozenset({"tables", "probabilities", "weights", "observed-ranges"}))


def test_shared_and_stepped_groups_are_alike_at_8_bits() -> None:
    """Both are the float network but for rounding."""
    real = run_float(captured(NAME), samples(NAME, 1), 1)
    stepped = run_float(apply(exact(4, 8), "simulate"), samples(NAME, 1), 1)
    shared = run_float(apply(planned(NAME, 8, 8), "simulate"), samples(NAME, 1), 1)
    assert decibels(real, stepped) > decibels(real, shared) - 3
