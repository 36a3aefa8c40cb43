"""`kmeans-groups` recovers planted clusters and gives every group a member."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planned import one_site, program_with
from programs import FRONT, apply, calls, captured, run_integer, samples

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Dimension, GroupedOperand, Operand, PlacedOperand, Ranges, Role
from dgqc.passes.activations.kmeans_groups import KMeansGroups, cluster

NAME = "scale_shift"
SEEDS = st.integers(0, 99999)


def random(seed: int, calls: int, count: int) -> Ranges:
    values = torch.randn(2, calls, count, generator=torch.Generator().manual_seed(seed))
    return Ranges(-values[0].abs(), values[1].abs())


@given(SEEDS, st.integers(1, 5), st.integers(1, 4))
def test_planted_clusters_are_recovered(seed: int, clusters: int, calls: int) -> None:
    """Members of one cluster get one group and other clusters' members another, at all calls at once.

    The largest cluster is narrower than the smallest gap, or K-means would rather split it.
    """
    generator = torch.Generator().manual_seed(seed)
    planted = torch.randint(0, clusters, (40,), generator=generator)
    centres = 4.0 ** torch.arange(clusters)
    noise = 1 + 1e-4 * torch.rand(calls, 40, generator=generator)
    high = centres[planted] * noise
    group = cluster(Ranges(-high / 2, high), len(planted.unique()))
    for index in planted.unique():
        members = group[planted == index]
        assert len(members.unique()) == 1
        assert not bool((group[planted != index] == members[0]).any())


def test_clusters_that_differ_at_one_call_only_are_told_apart() -> None:
    high = torch.ones(3, 6)
    high[1, ::2] = 20
    assert cluster(Ranges(-high, high), 2).tolist() == [0, 1, 0, 1, 0, 1]


@given(SEEDS, st.integers(1, 40), st.integers(1, 16), st.integers(1, 3))
def test_groups_are_numbered_without_gaps_in_order_of_appearance(
    seed: int, count: int, groups: int, calls: int
) -> None:
    group = cluster(random(seed, calls, count), groups)
    assert group.dtype is torch.int64
    assert group.shape == (count,)
    first = [group.tolist().index(g) for g in range(int(group.max()) + 1)]
    assert first == sorted(first), "ValueError above would mean an empty group"
    assert int(group.max()) + 1 == min(groups, count)


@given(SEEDS, st.integers(2, 30), st.integers(1, 12))
def test_the_same_ranges_give_the_same_groups(seed: int, count: int, groups: int) -> None:
    ranges = random(seed, 2, count)
    assert torch.equal(cluster(ranges, groups), cluster(ranges, groups))


@given(SEEDS, st.integers(1, 6), st.integers(6, 256))
def test_more_groups_than_distinct_ranges_give_each_range_its_own(
    seed: int, distinct: int, groups: int
) -> None:
    ranges = random(seed, 2, distinct)
    repeated = torch.arange(20) % distinct
    group = cluster(Ranges(ranges.low[:, repeated], ranges.high[:, repeated]), groups)
    assert group.tolist() == repeated.tolist()


def test_one_group_is_all_indices() -> None:
    assert cluster(random(1, 2, 9), 1).tolist() == [0] * 9


def test_the_pass_keeps_the_rest_of_the_plan() -> None:
    plan = PlacedOperand(Operand(Role.LINEAR, 6, False), Dimension.CHANNEL, random(3, 2, 20))
    found = one_site(KMeansGroups(5).run(program_with(plan, calls=2)))
    assert isinstance(found, GroupedOperand)
    assert (found.operand, found.dimension, found.ranges) == (plan.operand, plan.dimension, plan.ranges)
    assert torch.equal(found.group, cluster(plan.ranges, 5))


def test_one_group_of_a_convolution_lies_along_channels_with_the_same_bits() -> None:
    placed = apply(
        captured(NAME),
        f"{FRONT},split-start-token,insert-sites{{bits=6}},merge-quantizers,quantize-weights,observe-ranges,"
        "outlier-dims{dimension=pixel}",
    )
    found = KMeansGroups(1).run(placed)
    by_patch = {
        name: GroupedOperand(plan.operand, plan.dimension, plan.ranges, cluster(plan.ranges, 1))
        for name, plan in placed.plans.items()
        if isinstance(plan, PlacedOperand)
    }
    images = [name for name, plan in by_patch.items() if plan.operand.role is Role.CONVOLUTION]
    assert len(images) > 3
    for name in images:
        plan = found.plans[name]
        assert isinstance(plan, GroupedOperand)
        assert plan.dimension is Dimension.CHANNEL
    rest = "log-quant,timestep-tables,lower-integer"
    along, across = (apply(replace(found, plans={**found.plans, **plans}), rest) for plans in ({}, by_patch))
    assert not calls(along, torch.ops.dgqc.conv2d_pixel.default)
    assert calls(across, torch.ops.dgqc.conv2d_pixel.default)
    one = {name: x[:1] for name, x in samples(NAME, 2).items()}
    assert torch.equal(run_integer(along, one, 2), run_integer(across, one, 2))


@pytest.mark.parametrize("groups", [0, 257])
def test_numbers_of_groups_that_codes_cannot_name_are_refused(groups: int) -> None:
    with pytest.raises(DgqcError, match="1 to 256"):
        KMeansGroups(groups)
