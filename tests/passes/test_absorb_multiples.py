"""`absorb-multiples`: multiples that weights can take up, where rounding stays as quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx

import dgqc.ir.ops  # noqa: F401  (registers the ops)
from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.plans import Dimension, GroupedOperand, Operand, Plan, QuantizedOperand, Ranges, Role, Weight
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import Schedule
from dgqc.passes.activations.absorb_multiples import AbsorbMultiples, closest_base, louder
from dgqc.passes.activations.timestep_tables import TimestepTables, WantedScales, tabulate, wanted_scales

aten = torch.ops.aten
SEEDS = st.integers(0, 99999)
CHANNELS, CALLS = 12, 3


def grouped(seed: int, groups: int = 4, dimension: Dimension = Dimension.CHANNEL) -> GroupedOperand:
    """Ranges over several octaves, at 3 calls."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.exp2(torch.randn(CALLS, CHANNELS, generator=generator) * 2)
    ranges = Ranges(-size, size)
    return GroupedOperand(Operand(Role.LINEAR, 6, False), dimension, ranges, torch.arange(CHANNELS) % groups)


def program_with(plan: Plan, *weight_bits: int) -> Program:
    """A site that linears with weights of these widths read; a function reads it where there are none."""
    graph = fx.Graph()
    sample = graph.placeholder("sample")
    graph.placeholder("step")
    site = graph.call_function(torch.ops.dgqc.site.default, (sample, "site"))
    plans: dict[str, Plan] = {"site": plan}
    root = torch.nn.Module()
    results = []
    for number, bits in enumerate(weight_bits):
        name = f"weight{number}"
        root.register_buffer(name, torch.zeros(2, CHANNELS))
        plans[name] = Weight(bits, torch.zeros(2, CHANNELS, dtype=torch.int8), torch.ones(2))
        results.append(graph.call_function(aten.linear.default, (site, graph.get_attr(name))))
    graph.output(results[0] if results else graph.call_function(aten.silu.default, (site,)))
    schedule = Schedule("test", tuple(float(900 - 100 * call) for call in range(CALLS)))
    inputs = (Input("sample", (1, CHANNELS)),)
    return Program(fx.GraphModule(root, graph), Level.PLANNED, inputs, schedule, plans=plans)


def absorbed(program: Program, **options: float) -> Plan:
    return AbsorbMultiples(**options).run(program).plans["site"]


@given(SEEDS)
def test_multiples_fit_beside_weights_and_codes_cover_every_group(seed: int) -> None:
    plan = absorbed(program_with(grouped(seed), 4), worst=99)
    assert isinstance(plan, QuantizedOperand)
    assert bool(((plan.multiple >= 1) & (plan.multiple <= 16)).all())
    wanted = wanted_scales(grouped(seed))
    assert bool((plan.scale >= wanted.step * (1 - 1e-8)).all())


@given(SEEDS)
def test_no_other_base_would_round_more_quietly(seed: int) -> None:
    wanted = wanted_scales(grouped(seed))
    best = louder(wanted, closest_base(wanted, 16))
    least = wanted.step.amax(dim=1) / 16
    for factor in torch.linspace(1, 16, 200, dtype=torch.float64):
        assert best <= louder(wanted, least * factor) + 1e-9


def test_a_finer_base_serves_unlike_groups() -> None:
    """3 and 2 have a base that fits both, though the largest isn't a multiple of it."""
    wanted = WantedScales(torch.zeros(1, 2), torch.tensor([[3.0, 2.0]]).double(), torch.ones(2).double())
    base = closest_base(wanted, 3)
    assert base.tolist() == [1.0]
    assert louder(wanted, base) == 0


@pytest.mark.parametrize("bits", [(8,), (4, 8), ()])
def test_where_a_reader_has_no_bits_to_spare_nothing_is_decided(bits: tuple[int, ...]) -> None:
    program = program_with(grouped(1), *bits)
    assert absorbed(program, worst=99) is program.plans["site"]


def test_several_readers_share_what_all_of_them_have_room_for() -> None:
    for bits, most in (((4, 4), 16), ((4, 5), 8), ((6, 4), 4)):
        plan = absorbed(program_with(grouped(3), *bits), worst=99)
        assert isinstance(plan, QuantizedOperand)
        assert 1 < int(plan.multiple.max()) <= most


def test_groups_along_rows_and_single_groups_are_left_to_the_tables() -> None:
    for plan in (grouped(1, dimension=Dimension.PIXEL), grouped(1, groups=1)):
        assert absorbed(program_with(plan, 4)) is plan


def test_an_operand_that_would_lose_too_much_is_left_and_reported() -> None:
    program = program_with(grouped(5), 6)
    lost = louder(wanted_scales(grouped(5)), closest_base(wanted_scales(grouped(5)), 4))
    assert lost > 0.1
    left = AbsorbMultiples(worst=lost - 0.01).run(program)
    assert left.plans["site"] is program.plans["site"]
    assert left.report["absorb-multiples"]["left"] == {"site": round(lost, 3)}
    kept = AbsorbMultiples(worst=lost + 0.01).run(program)
    assert kept.report["absorb-multiples"] == {"operands": 1, "louder-db": round(lost, 3), "left": {}}


def test_timestep_tables_takes_what_was_decided_and_does_the_rest() -> None:
    plan = grouped(7)
    program = AbsorbMultiples(worst=99).run(program_with(plan, 4))
    both = replace(program, plans={**program.plans, "other": plan})
    done = TimestepTables().run(both)
    assert done.plans["site"] is program.plans["site"]
    other = done.plans["other"]
    assert isinstance(other, QuantizedOperand)
    assert torch.equal(other.multiple, tabulate(plan, 7).multiple)


def test_a_loss_below_zero_is_refused() -> None:
    with pytest.raises(DgqcError, match="absorb-multiples takes a worst loss of 0 dB or more, not -1"):
        AbsorbMultiples(worst=-1)
