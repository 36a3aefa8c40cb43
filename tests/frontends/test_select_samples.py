"""Which samples are chosen: how many of each call, of which trajectories, by what measure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import architectures
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dgqc.frontends.calibrating.density_diversity import shares
from dgqc.frontends.calibrating.mid_block import mid_block_inputs
from dgqc.frontends.calibrating.select_samples import Selection, apportion, in_turn, select
from dgqc.frontends.calibrating.temporal_parallel import clusters, in_turn_of_clusters
from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.schedule import Schedule

CALLS, BATCHES, SIZE = 5, 3, 4


class Middle(nn.Module):
    """A UNet as far as the choice sees it: the middle block sees the sample times the timestep."""

    def __init__(self) -> None:
        super().__init__()
        self.mid_block = nn.Identity()

    def forward(self, sample: torch.Tensor, timestep: float, **options: Any) -> torch.Tensor:
        result: torch.Tensor = self.mid_block(sample * timestep)
        return result


def calibration() -> Calibration:
    """Samples that say where they come from: call * 100 + trajectory."""

    def read(step: int) -> Iterator[Inputs]:
        for batch in range(BATCHES):
            rows = torch.arange(batch * SIZE, (batch + 1) * SIZE) + 100 * step
            yield {"sample": rows.float().reshape(-1, 1, 1, 1).expand(-1, 2, 1, 1).clone()}

    times = tuple(float(t) for t in (900, 500, 490, 480, 10))
    return Calibration(Schedule("DDIMScheduler", times), read, False, "numbers")


def chosen(found: Calibration) -> list[list[int]]:
    """The trajectories of each call."""
    rows = [torch.cat([b["sample"] for b in found.read(call)])[:, 0, 0, 0] for call in range(CALLS)]
    assert all(bool((row // 100 == call).all()) for call, row in enumerate(rows))
    return [[int(one) % 100 for one in row] for row in rows]


def test_all_is_the_calibration_itself() -> None:
    given = calibration()
    assert select(given, Selection.ALL, Middle()) is given


def test_uniform_takes_the_first_of_each_call() -> None:
    assert chosen(select(calibration(), Selection.UNIFORM, Middle(), 30)) == [list(range(6))] * CALLS


@pytest.mark.parametrize("how", [Selection.UNIFORM, Selection.TDAC, Selection.TAP])
@pytest.mark.parametrize("samples", [None, 5, 23, 60, 1000])
def test_every_call_has_one_and_the_number_is_right(how: Selection, samples: int | None) -> None:
    found = chosen(select(calibration(), how, Middle(), samples))
    assert sum(map(len, found)) == min(samples or 12, CALLS * BATCHES * SIZE)
    assert all(len(set(rows)) == len(rows) >= 1 for rows in found)


def test_fewer_samples_than_calls_are_refused() -> None:
    with pytest.raises(DgqcError, match="can't cover 5 UNet calls"):
        select(calibration(), Selection.TDAC, Middle(), 4)


@pytest.mark.parametrize("how", [Selection.TDAC, Selection.TAP])
def test_a_choice_is_the_same_each_time_and_follows_its_seed(how: Selection) -> None:
    one, other = (chosen(select(calibration(), how, Middle(), 23, seed=1)) for _ in range(2))
    assert one == other
    assert chosen(select(calibration(), how, Middle(), 23, seed=2)) != one


def test_alike_and_near_samples_are_a_cluster() -> None:
    """Four directions at two ends of the schedule; what is alike and near counts as one."""
    values = torch.eye(4).repeat_interleave(20, dim=0) + 0.01 * torch.randn(80, 4)
    times = torch.tensor([0.0, 1.0]).repeat(40)
    labels = clusters(values, times)
    kinds = [(index // 20, index % 2) for index in range(80)]
    of_kind = {kind: {labels[i] for i in range(80) if kinds[i] == kind} for kind in kinds}
    assert len(of_kind) == 8
    assert sum(map(len, of_kind.values())) == len(set(labels)), "no cluster has samples of two kinds"


def test_each_cluster_gives_one_in_its_turn() -> None:
    labels, owners = [0] * 50 + [1] * 3 + [2] * 7, [index % 2 for index in range(60)]
    taken = in_turn_of_clusters(labels, owners, 12, seed=0)
    counts = [sum(labels[index] == label for index in taken) for label in range(3)]
    assert len(taken) == sum(counts) == 12
    assert {owners[index] for index in taken} == {0, 1}
    assert min(counts) >= 3
    assert in_turn_of_clusters(labels, owners, 500, seed=0) == list(range(60))


def test_the_choice_names_itself() -> None:
    assert select(calibration(), Selection.TDAC, Middle()).origin == "numbers, tdac choice"


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 500), st.integers(1, 40))
def test_apportioned_samples_sum_up(weights: list[float], samples: int, largest: int) -> None:
    values = torch.tensor([*weights, 1.0], dtype=torch.float64)
    counts = apportion(values, samples, largest)
    assert sum(counts) == min(max(samples, len(values)), largest * len(values))
    assert min(counts) >= 1
    assert max(counts) <= largest


def test_more_weight_is_more_samples() -> None:
    assert apportion(torch.tensor([1.0, 2.0, 5.0]), 80, 100) == [10, 20, 50]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(6, 9), st.integers(0, 99))
def test_trajectories_take_turns(counts: list[int], trajectories: int, seed: int) -> None:
    found = in_turn(counts, trajectories, seed)
    assert [len(rows) for rows in found] == counts
    used = [sum(one in rows for rows in found) for one in range(trajectories)]
    assert max(used) - min(used) <= 1


def features(*values: float) -> torch.Tensor:
    """A call each; two channels that point where the value says."""
    angles = torch.tensor(values)
    return torch.stack([torch.cos(angles), torch.sin(angles)], dim=1).reshape(-1, 1, 2, 1, 1)


def test_density_counts_neighbours() -> None:
    found = shares(features(0.0, 0.01, 0.02, 3.0), diversity=0.0, radius=0.1)
    assert found.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_diversity_is_the_distance_from_all_others() -> None:
    # cos of the angles between the three: 0, -1, 0; distances summed: 1 + 2, 1 + 1, 2 + 1.
    found = shares(features(0.0, torch.pi / 2, torch.pi), diversity=1.0, radius=0.0)
    assert found.tolist() == pytest.approx([0.5, 0, 0.5], abs=1e-6)


def test_both_measures_agree_with_a_plain_loop() -> None:
    torch.manual_seed(3)
    x = torch.randn(6, 2, 3, 2, 2)
    near, far = [], []
    for one in range(6):
        others = [other for other in range(6) if other != one]
        near.append(float(sum((x[one] - x[other]).square().mean() <= 2.0 for other in others)))
        far.append(
            sum(float((1 - torch.cosine_similarity(x[one], x[o], dim=1, eps=1e-6)).sum()) for o in others)
        )
    dense, diverse = ((v - v.min()) / (v.max() - v.min()) for v in (torch.tensor(near), torch.tensor(far)))
    weights = dense + 1.2 * diverse
    assert torch.allclose(shares(x, 1.2, 2.0).float(), weights / weights.sum(), atol=1e-5)


@given(st.floats(1e-3, 1e3))
def test_the_default_radius_has_no_scale(scale: float) -> None:
    torch.manual_seed(4)
    x = torch.randn(7, 1, 3, 2, 2)
    assert torch.allclose(shares(x), shares(x * scale), atol=1e-6)


@pytest.mark.parametrize("calls", [1, 2, 5])
def test_calls_that_are_all_alike_weigh_the_same(calls: int) -> None:
    assert shares(torch.ones(calls, 1, 2, 3, 3)).tolist() == pytest.approx([1 / calls] * calls)


def test_features_come_from_the_middle_attention() -> None:
    unet = architectures.ARCHITECTURES["only_cross_attention"]()
    schedule = Schedule("DDIMScheduler", (900.0, 20.0))
    inputs = architectures.example_inputs(unet, 2)
    seen: list[torch.Tensor] = []
    hook = unet.mid_block.attentions[0].register_forward_pre_hook(lambda m, given: seen.append(given[0]))
    found = mid_block_inputs(unet, Calibration(schedule, lambda step: iter([inputs]), False, ""))
    hook.remove()
    assert torch.equal(found, torch.stack(seen))
    assert not torch.equal(found[0], found[1])
    assert not unet.mid_block.attentions[0]._forward_pre_hooks
