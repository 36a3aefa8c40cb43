"""`step-groups`: DGQ's own quantizer, call by call."""

from __future__ import annotations

import pytest
import torch
from programs import BATCH, FRONT, apply, arguments, captured, decibels, planned, run_float, samples
from torch.nn.functional import unfold

from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.ops.simulate import fake_quantize, fake_quantize_stepped
from dgqc.ir.plans import Operand, Role, SteppedOperand
from dgqc.ir.program import Program
from dgqc.passes.kmeans_groups import cluster
from dgqc.passes.manager import PassManager
from dgqc.passes.pipeline import parse_pipeline
from dgqc.passes.step_groups import tabulate

NAME = "only_cross_attention"
LINEAR = Operand(Role.LINEAR, 4, False)


def exact(groups: int, bits: int = 4) -> Program:
    sites = f"insert-sites{{bits={bits}}},merge-quantizers,quantize-weights"
    return apply(
        captured(NAME), f"{FRONT},split-start-token,{sites},step-groups{{groups={groups}}},log-quant"
    )


def test_one_group_is_the_range_of_the_whole() -> None:
    low, high = torch.tensor([-1.0, -3.0, 0.0]), torch.tensor([2.0, 1.0, 12.0])
    chosen, tables = tabulate(LINEAR, (low, high, low[:2], high[:2]), groups=1)
    channel_scale, channel_zero, pixel_scale, pixel_zero = tables
    assert chosen
    assert channel_scale.tolist() == [1.0] * 3
    assert channel_zero.tolist() == [3.0] * 3
    assert (pixel_scale.tolist(), pixel_zero.tolist()) == ([1.0, 1.0], [0.0, 0.0])


def test_zeros_are_not_clamped() -> None:
    low, high = torch.tensor([30.0, -1.0]), torch.tensor([45.0, 14.0])
    _, (scale, zero, _, _) = tabulate(LINEAR, (low, high, torch.zeros(2), torch.zeros(2)), groups=2)
    assert scale.tolist() == [1.0, 1.0]
    assert zero.tolist() == [-30.0, 1.0]


@pytest.mark.parametrize(("role", "channels"), [(Role.LINEAR, False), (Role.CONVOLUTION, True)])
def test_a_tie_goes_to_the_first_axis_of_the_matrix(role: Role, channels: bool) -> None:
    low, high = torch.tensor([0.0, -1.0]), torch.tensor([1.0, 4.0])
    assert tabulate(Operand(role, 4, False), (low, high, low, high), groups=2)[0] == channels


def test_groups_along_one_axis_quantize_as_with_one_table_of_groups() -> None:
    torch.manual_seed(5)
    x = torch.randn(2, 5, 7) * torch.rand(7) * 8
    low, high = x.amin(dim=(0, 1)), x.amax(dim=(0, 1))
    _, tables = tabulate(LINEAR, (low, high, torch.zeros(5), torch.zeros(5)), groups=3)
    rows = [table[None].float() for table in tables]
    step = torch.tensor(0)
    group = torch.arange(7)
    found = fake_quantize_stepped(x, step, *rows, 2, 1, 4)
    assert torch.equal(found, fake_quantize(x, step, rows[0], rows[1], group, 2, 4))
    assert float((found - x).abs().max()) <= 0.51 * float(tables[0].max())
    assert len(tables[0].unique()) == 3


def test_a_convolution_is_grouped_by_taps_or_output_pixels() -> None:
    program = exact(4)
    plan = program.plans["conv_in.input"]
    assert isinstance(plan, SteppedOperand)
    x = arguments(program, samples(NAME, 0))[0]
    patches = unfold(x, 3, padding=1)
    assert plan.channel_scale.shape == (4, patches.shape[1])
    assert plan.pixel_scale.shape == (4, patches.shape[2])
    # Exactly one of the two dimensions is in use at each call.
    channels = (plan.channel_scale != 1).any(dim=1) | (plan.channel_zero != 0).any(dim=1)
    pixels = (plan.pixel_scale != 1).any(dim=1) | (plan.pixel_zero != 0).any(dim=1)
    assert bool((channels ^ pixels).all())
    # The first call's table, computed the long way.
    axis, used = (1, plan.channel_scale) if bool(channels[0]) else (2, plan.pixel_scale)
    low, high = patches.amin(dim=(0, 3 - axis)), patches.amax(dim=(0, 3 - axis))
    from dgqc.ir.plans import Ranges

    group = cluster(Ranges(low[None], high[None]), 4)
    for one in range(int(group.max()) + 1):
        members = group == one
        wide = (float(high[members].max()) - float(low[members].min())) / (2**plan.operand.bits - 1)
        assert used[0][members].tolist() == pytest.approx([wide] * int(members.sum()), rel=1e-6)


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
