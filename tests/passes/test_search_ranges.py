"""`search-ranges` and `split-shortcuts`: what the baselines do about ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import one_site, program_with
from programs import FRONT, apply, captured

from dgqc.ir.calibration import Calibration
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Dimension, GroupedOperand, Operand, Ranges, Role
from dgqc.ir.program import Program
from dgqc.passes.activations.search_ranges import BINS, SearchRanges, counts, expected, shrunk
from dgqc.passes.manager.pipeline import parse_pipeline

LINEAR = Operand(Role.LINEAR, 4, False)
NAME = "class_conditional"
SITES = "insert-sites{bits=4},merge-quantizers,quantize-weights,observe-ranges"


def grouped(low: torch.Tensor, high: torch.Tensor, group: list[int]) -> GroupedOperand:
    return GroupedOperand(LINEAR, Dimension.CHANNEL, Ranges(low, high), torch.tensor(group))


def searched(plan: GroupedOperand, values: list[torch.Tensor]) -> GroupedOperand:
    """values: (B, 4), one for each call."""
    program = program_with(plan, len(values))
    calibration = Calibration(program.schedule, lambda call: iter([{"sample": values[call]}]), False, "")
    found = one_site(SearchRanges(samples=10**6).run(replace(program, calibration=calibration)))
    assert isinstance(found, GroupedOperand)
    return found


def test_a_rare_outlier_is_clipped_and_a_plain_range_is_kept() -> None:
    x = torch.rand(4000, 4) * 2 - 1
    x[0, 1] = 3.0
    low, high = x.amin(dim=0)[None], x.amax(dim=0)[None]
    found = searched(grouped(low, high, [0, 1, 2, 3]), [x])
    assert float(found.ranges.high[0, 1]) < 2.75
    kept = [0, 2, 3]
    assert torch.allclose(found.ranges.high[0, kept], high[0, kept], rtol=0.06)


def test_a_group_shrinks_as_one() -> None:
    x = torch.rand(4000, 4) * 2 - 1
    x[0, 1] = 3.0
    low, high = x.amin(dim=0)[None], x.amax(dim=0)[None]
    found = searched(grouped(low, high, [0, 0, 1, 1]), [x])
    factor = found.ranges.high / high
    assert float(factor[0, 0]) == pytest.approx(float(factor[0, 1]))
    assert float(factor[0, 0]) < 0.9


def test_static_ranges_stay_static_and_others_are_searched_by_call() -> None:
    calm, wild = torch.rand(4000, 4) * 2 - 1, torch.rand(4000, 4) * 2 - 1
    wild[0] = 3.0
    low, high = torch.full((2, 4), -1.0), torch.full((2, 4), 3.0)
    found = searched(grouped(low, high, [0] * 4), [calm, wild])
    assert torch.equal(found.ranges.high[0], found.ranges.high[1])
    own = searched(grouped(low, torch.tensor([[1.0] * 4, [3.0] * 4]), [0] * 4), [calm, wild])
    assert float(own.ranges.high[0, 0]) > 0.9
    assert float(own.ranges.high[1, 0]) < 2.75


@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 8]), st.sampled_from(["even", "bell", "spikes"]))
def test_counting_in_bins_finds_a_factor_as_good_as_trying_all(seed: int, bits: int, shape: str) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.rand(500, 6, generator=random) - 0.3
    if shape != "even":
        x = torch.randn(500, 6, generator=random) ** (3 if shape == "spikes" else 1)
    group = torch.tensor([0, 1, 0, 1, 2, 2])
    low = torch.stack([x[:, group == g].min() for g in range(3)]).double()
    high = torch.stack([x[:, group == g].max() for g in range(3)]).double()
    factors = 1 - 0.05 * torch.arange(16, dtype=torch.float64)
    found = expected(counts(x, 1, group, low, high, BINS * 2**bits), low, high, bits, factors, 2.4)
    for g in range(3):
        tried = torch.stack([lost(x[:, group == g].double(), low[g], high[g], bits, f) for f in factors])
        assert float(tried[found[g].argmin()]) <= 1.03 * float(tried.min())
        assert torch.allclose(found[g], tried, rtol=0.25)


def lost(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor, bits: int, factor: Any) -> torch.Tensor:
    """The error of one factor, value by value."""
    scale = (high - low) * factor / (2**bits - 1)
    zero = torch.round(-low * factor / scale)
    codes = (torch.round(x / scale) + zero).clamp(0, 2**bits - 1)
    return (scale * (codes - zero) - x).abs().pow(2.4).sum()


def test_a_tie_keeps_the_wider_range() -> None:
    plan = grouped(torch.zeros(1, 2), torch.ones(1, 2), [0, 0])
    same = shrunk(plan, torch.zeros(1, 1, 3), torch.tensor([1.0, 0.5, 0.25], dtype=torch.float64))
    assert same.ranges.high.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("options", ["candidates=0", "candidates=30", "power=0", "samples=0"])
def test_impossible_grids_are_refused(options: str) -> None:
    with pytest.raises(DgqcError, match="search-ranges refuses"):
        parse_pipeline(f"search-ranges{{{options}}}")


def test_it_runs_on_every_kind_of_operand() -> None:
    groups = "outlier-dims{dimension=pixel},kmeans-groups{groups=2}"
    program = apply(captured(NAME), f"{FRONT},{SITES},{groups},search-ranges{{candidates=4}}")
    before = apply(captured(NAME), f"{FRONT},{SITES},{groups}")

    def width(one: Program) -> float:
        plans = [p for p in one.plans.values() if isinstance(p, GroupedOperand)]
        return sum(float((p.ranges.high - p.ranges.low).sum()) for p in plans)

    assert program.report["search-ranges"]["operands"] > 10
    assert width(program) < width(before)


def test_shortcuts_of_the_decoder_are_split_where_their_parts_meet() -> None:
    program = apply(captured(NAME), f"{FRONT},{SITES},split-shortcuts,outlier-dims,kmeans-groups{{groups=1}}")
    split = {
        name: plan
        for name, plan in program.plans.items()
        if isinstance(plan, GroupedOperand) and int(plan.group.max()) > 0
    }
    assert split
    assert all("conv_shortcut" in name and name.startswith("up_blocks") for name in split)
    assert program.report["split-shortcuts"]["operands"] == len(split)
    for plan in split.values():
        assert plan.group.diff().abs().sum() == 1
