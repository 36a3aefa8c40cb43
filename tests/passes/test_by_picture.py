"""Halves of a guided picture count as one where it is told how much samples differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import program_with

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.plans import ObservedOperand, Operand, Role
from dgqc.passes.activations.by_picture import count_pictures, furthest, pictures_of
from dgqc.passes.activations.observe_ranges import ObserveRanges

ONE_SITE = program_with(Operand(Role.LINEAR, 8, False), calls=1)
STATES = torch.tensor([[1.0, 2.0], [4.0, 3.0], [2.0, 8.0]])


@given(st.integers(1, 12), st.integers(1, 5), st.booleans(), st.integers(1, 11), st.integers(0, 2**31))
def test_the_furthest_of_two_pictures(rows: int, owners: int, up: bool, part: int, seed: int) -> None:
    """Against every picture's own extreme, all at once and in two parts that may share a picture."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-9, 10, (rows, 3), generator=generator).float()
    whose = torch.randint(0, owners, (rows, 1), generator=generator)
    each = torch.stack(
        [values[whose[:, 0] == one].sort(dim=0, descending=up)[0][0] for one in whose.unique()]
    )
    wanted = each.sort(dim=0, descending=up)[0][:2]
    found, _ = furthest(values, whose, up)
    assert torch.equal(found, wanted)
    if part < rows:
        halves = [furthest(values[some], whose[some], up) for some in (slice(0, part), slice(part, rows))]
        again, _ = furthest(*(torch.cat(pair) for pair in zip(*halves, strict=True)), up)
        assert torch.equal(again, wanted)


@pytest.mark.parametrize(("guidance", "pictures"), [(7.5, 3), (1.0, 6), (None, 6)])
@pytest.mark.parametrize("parts", [[6], [3, 3], [1, 4, 1]])
def test_guided_halves_say_nothing_of_each_other(
    guidance: float | None, pictures: int, parts: list[int]
) -> None:
    """Each state twice, as with its prompt and without: the second furthest is another picture's."""

    def read(step: int) -> Iterator[Inputs]:
        yield from ({"sample": part} for part in STATES.repeat(2, 1).split(parts))

    calibration = Calibration(ONE_SITE.schedule, read, False, "twice", guidance_scale=guidance)
    plan = ObserveRanges().run(replace(ONE_SITE, calibration=calibration)).plans["site"]
    assert isinstance(plan, ObservedOperand)
    assert plan.channel_variation is not None
    assert plan.channel_variation.samples.tolist() == [pictures]
    assert count_pictures(calibration, 0) == pictures
    assert plan.channel.high.tolist() == [[4.0, 8.0]]
    second = [[2.0, 3.0]] if pictures == 3 else [[4.0, 8.0]]
    assert plan.channel_variation.high.tolist() == second


def test_the_same_state_has_the_same_number_in_every_batch() -> None:
    one, other = pictures_of({"sample": STATES}, 2.0, 0), pictures_of({"sample": STATES[1:]}, 2.0, 3)
    assert one[1:].tolist() == other.tolist()
    assert len(set(one.tolist())) == 3
    assert pictures_of({"sample": STATES}, None, 4).tolist() == [4, 5, 6]
