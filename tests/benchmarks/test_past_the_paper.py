"""Choices that the compiler doesn't offer: they do what their rows of the table say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from other_choices import NormalizedGroups, PictureGroups, PowerOfTwoTables
from past_the_paper import DISTURBANCE_DB, choices, disturb
from planned import one_site, program_with
from programs import SCHEDULE, apply, calls, captured, decibels

from dgqc.ir.level import Level
from dgqc.ir.plans import Dimension, GroupedOperand, Operand, PlacedOperand, QuantizedOperand, Ranges, Role
from dgqc.ir.program import Program
from dgqc.passes.activations.error_groups import merged
from dgqc.passes.activations.kmeans_groups import cluster
from dgqc.passes.activations.timestep_tables import group_ranges
from dgqc.passes.graph.edit import constant
from dgqc.passes.manager.manager import PassManager

LINEAR = Operand(Role.LINEAR, 6, False)
SEEDS = st.integers(0, 99999)


def ranges(seed: int, calls: int = 3, count: int = 24) -> Ranges:
    """Ranges of all sizes, other ones at each call."""
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.randn(2, calls, count, generator=generator).abs() + 0.01
    size = 4 ** torch.randn(count, generator=generator)
    return Ranges(-low * size, high * size)


@pytest.mark.parametrize("width", ["w8a6", "w4a6"])
def test_every_row_is_a_pipeline_in_order_and_none_is_twice(width: str) -> None:
    found = choices(width, 10, [1.0] * len(SCHEDULE))
    assert len({one.name for one in found}) == len({one.passes for one in found}) == len(found) > 4
    for one in found:
        PassManager(one.pipeline).check(Level.CAPTURED)


@given(SEEDS)
@example(382)
def test_powers_of_two_are_such_and_clip_nothing(seed: int) -> None:
    group = torch.arange(24) % 5
    plan = GroupedOperand(LINEAR, Dimension.CHANNEL, ranges(seed), group)
    found = one_site(PowerOfTwoTables().run(program_with(plan, 3)))
    assert isinstance(found, QuantizedOperand)
    assert set(found.multiple.reshape(-1).tolist()) <= {2**i for i in range(7)}
    low, high = group_ranges(plan, 5)
    wanted = (high - low) / (2**6 - 1)
    assert bool((found.scale >= wanted * (1 - 1e-9)).all())
    # Wide groups lose less than an octave of their 12-bit multiple; narrow ones end at a 64th of the widest.
    widest = wanted.amax(dim=1, keepdim=True)
    assert bool((found.scale <= torch.maximum(2 * (wanted + widest / 2**11), widest / 31)).all())


@given(SEEDS)
def test_calls_of_equal_cost_are_what_error_groups_takes_and_one_without_has_no_say(seed: int) -> None:
    placed = PlacedOperand(LINEAR, Dimension.CHANNEL, ranges(seed))
    equal = PictureGroups(4, costs="2;2;2").assign(placed)
    assert torch.equal(equal, merged(placed.ranges, 4, False))
    wild = Ranges(placed.ranges.low.clone(), placed.ranges.high.clone())
    wild.high[1] = wild.high[1].flip(0) * 50
    one, other = (
        PictureGroups(4, costs="1;0;1").assign(PlacedOperand(LINEAR, Dimension.CHANNEL, some))
        for some in (placed.ranges, wild)
    )
    assert torch.equal(one, other)


def test_normalized_groups_do_not_depend_on_the_size_of_a_call() -> None:
    some = ranges(0)
    factor = torch.tensor([[1.0], [64], [1]])
    louder = Ranges(some.low * factor, some.high * factor)
    one, other = (
        NormalizedGroups(4).assign(PlacedOperand(LINEAR, Dimension.CHANNEL, part)) for part in (some, louder)
    )
    assert torch.equal(one, other)
    assert not torch.equal(cluster(some, 4), cluster(louder, 4))


def test_a_quantized_time_embedding_is_off_by_what_its_bits_leave() -> None:
    def tables(program: Program) -> torch.Tensor:
        nodes = calls(program, torch.ops.dgqc.at_step.default)
        return torch.cat([constant(program.graph, node.args[0]).reshape(-1) for node in nodes])  # type: ignore[arg-type]

    exact = tables(apply(captured("class_conditional"), "fold-time-embedding"))
    off = [
        decibels(exact, tables(apply(captured("class_conditional"), f"quantized-time-embedding{{{bits}}}")))
        for bits in ("weights=8,activations=8", "weights=4,activations=8", "weights=4,activations=4")
    ]
    assert off[0] > 30 > off[1] > off[2] > 5


def test_one_call_is_disturbed_and_no_other() -> None:
    class Unet(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            return (x,)

    unet, x = Unet(), torch.randn(4, 3, 16, 16)
    disturb(unet, 1)
    first, second, third = (unet(x)[0] for _ in range(3))
    assert torch.equal(first, x)
    assert torch.equal(third, x)
    assert decibels(x, second) == pytest.approx(DISTURBANCE_DB, abs=0.5)
