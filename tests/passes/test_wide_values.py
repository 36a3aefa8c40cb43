"""Values of 20 bits: chosen where rounding costs most, made and read by those who can."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from golden.graphs import seen_uneven
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import own, planned, run_float, run_integer, samples

from dgqc.ir.calibration import Answers
from dgqc.ir.ops.wide import WIDE_BITS
from dgqc.ir.plans import ObservedActivation16, Plan, QuantizedActivation16
from dgqc.ir.program import Program
from dgqc.ir.verify.verifier import verify
from dgqc.passes.activations.channel_classes import channel_classes
from dgqc.passes.activations.choose_exponents import ChooseExponents
from dgqc.passes.activations.exponent_plans import with_exponents
from dgqc.passes.activations.timestep_tables import scaled
from dgqc.passes.activations.value_widths import can_be_wide, costs_of_widths
from dgqc.passes.graph.edit import dgqc
from dgqc.passes.lowering.lower_integer import LowerInteger
from dgqc.passes.simulation import wide_values
from dgqc.passes.simulation.wide_values import decibels_of_values
from dgqc.passes.widths.measured import outputs_of, samples_of


def widened(program: Program) -> Program:
    """Every value wide that can be, and concatenations at the scales of their parts."""
    plans: dict[str, Plan] = dict(program.plans)
    for site in program.graph.graph.nodes:
        plan = plans.get(str(site.args[1])) if site.target is dgqc.site.default else None
        if isinstance(plan, QuantizedActivation16):
            wide = can_be_wide(site, plans)
            joined = site.args[0].target is torch.ops.aten.cat.default
            channels = site.args[0].meta["val"].shape[1]
            exponent = torch.arange(channels) % 2 if joined else None
            plans[str(site.args[1])] = replace(plan, wide=wide, exponent=exponent)
    return replace(program, plans=plans)


def decibels(program: Program, name: str, wide: bool) -> float:
    """Of the integers that a planned program becomes, at a call."""
    done = LowerInteger().run(own(program))
    done = replace(done, level=LowerInteger.leaves, facts=done.facts | LowerInteger.provides)
    verify(done)
    inputs = {key: value[:1] for key, value in samples(name, 1).items()}
    wanted = run_float(program, inputs, 1).double()
    noise = (run_integer(done, inputs, 1) - wanted).square().sum()
    norms = [n for n in done.graph.graph.nodes if n.target is dgqc.group_norm.default]
    assert any(n.meta["val"].dtype == torch.int32 for n in norms) == wide
    return float(10 * torch.log10(wanted.square().sum() / noise))


@pytest.mark.parametrize("name", ["resnet_resampling", "demo_like"])
def test_a_network_with_every_value_wide_is_as_good_and_proved(name: str) -> None:
    """Norms, sums, gates, concatenations, layers; whoever can't read 20 bits gets 16."""
    program = planned(name)
    assert decibels(widened(program), name, True) > decibels(program, name, False) - 1.5, (
        "codes fall otherwise"
    )


def test_what_costs_most_is_wide() -> None:
    program = seen_uneven()
    found = ChooseExponents(enough=1000).run(program)
    report = found.report["choose-exponents"]
    wide = [
        name for name, plan in found.plans.items() if isinstance(plan, ObservedActivation16) and plan.wide
    ]
    assert report["wide"] == len(wide) > 0
    narrow = {
        name: replace(plan, wide=False) if isinstance(plan, ObservedActivation16) else plan
        for name, plan in found.plans.items()
    }
    before = decibels_of_values(tabulated(replace(program, plans=narrow)), [0, 1])
    for one, other in zip(before.values(), report["exponents"], strict=True):
        assert one is not None
        assert other > one + 3


def test_known_answers_are_taken_as_they_are() -> None:
    """Beside a thousand times what it answers, rounded or not, nothing is left of the network's output."""
    program = seen_uneven()
    assert program.calibration is not None
    samples = samples_of(program, [0])
    far = 1000 * outputs_of(program, samples)[0]
    answers = {0: Answers(far, 3 * far)}
    known = replace(program, calibration=replace(program.calibration, answers=answers))
    (found,) = decibels_of_values(tabulated(known), [0]).values()
    assert found == pytest.approx(0, abs=0.1)
    assert torch.equal(outputs_of(known, samples)[0], 3 * far)


def test_gradients_foretell_what_rounding_costs() -> None:
    program = seen_uneven()
    plans = with_exponents(program, channel_classes(program.graph.graph, program.plans))
    fine = tabulated(replace(program, plans={**program.plans, **plans}))
    costs = costs_of_widths(fine, [0, 1])
    found = decibels_of_values(fine, [0, 1])
    for place, decibel in enumerate(found.values()):
        foretold = -10 * math.log10(sum(float(table[0, place]) for table in costs.values()))
        assert decibel is not None
        assert abs(foretold - decibel) < 4, "of a few values of few elements"


def tabulated(program: Program) -> Program:
    plans = {
        name: scaled(plan, 2.0) if isinstance(plan, ObservedActivation16) else plan
        for name, plan in program.plans.items()
    }
    return replace(program, plans=plans)


def test_a_wide_value_is_twenty_bits() -> None:
    assert WIDE_BITS == 20


@settings(max_examples=30)
@given(
    shape=st.sampled_from([(1, 7), (2, 5, 3), (1, 4, 9, 2)]),
    axis=st.integers(1, 3),
    piece=st.sampled_from([1, 8, 10_000]),
    seed=st.integers(0, 999),
)
def test_rounding_in_pieces_is_rounding_the_whole(
    shape: tuple[int, ...], axis: int, piece: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    value = 100 * torch.randn(shape, generator=generator)
    sizes = [1] * len(shape)
    sizes[min(axis, len(shape) - 1)] = -1
    scale = torch.rand(shape[min(axis, len(shape) - 1)], generator=generator, dtype=torch.float64) + 1e-3
    scale = scale.reshape(sizes)
    wanted = (torch.floor(value.double() / scale + 0.5).clamp(-50, 49) * scale).to(value.dtype)
    with patch.object(wide_values, "PIECE", piece):
        assert torch.equal(wide_values._rounded(value, scale, (-50, 49)), wanted)
