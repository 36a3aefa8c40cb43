"""Which of the recorded samples are calibrated with: all, as many of each call, EDA-DM's or Q&C's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from functools import cache

import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs, samples_in
from ...ir.errors import DgqcError
from .density_diversity import shares
from .mid_block import mid_block_inputs
from .temporal_parallel import clusters, in_turn_of_clusters


class Selection(StrEnum):
    """How samples are chosen."""

    ALL = "all"
    """Every one (DGQ)."""
    UNIFORM = "uniform"
    """As many of each call, the first ones (Q-Diffusion)."""
    TDAC = "tdac"
    """By density and diversity of the calls, from trajectories in turn (EDA-DM)."""
    TAP = "tap"
    """One of each cluster in turn, of clusters of alike and near samples (Q&C)."""


def select(
    calibration: Calibration,
    how: Selection,
    model: nn.Module,
    samples: int | None = None,
    diversity: float = 1.0,
    radius: float | None = None,
    seed: int = 0,
) -> Calibration:
    """The calibration with some of its samples; they are chosen when it is first read.

    samples: how many in all; None takes one of each trajectory, but at least one of each call.
    diversity, radius: of TDAC, see `shares`.

    Our deviation: every call keeps at least one sample, since 16-bit values have a scale per call; the two
    halves of a guided pair count as trajectories of their own.
    Raises DgqcError for fewer samples than calls.
    """
    calls = len(calibration.schedule)
    if samples is not None and samples < calls:
        raise DgqcError(
            f"{samples} calibration samples can't cover {calls} UNet calls; take at least one of each call."
        )
    if how is Selection.ALL:
        return calibration

    @cache
    def chosen() -> tuple[frozenset[int], ...]:
        trajectories = min(_count(calibration, call) for call in range(calls))
        wanted = samples or max(trajectories, calls)
        if how is Selection.UNIFORM:
            counts = apportion(torch.ones(calls), wanted, trajectories)
            return tuple(frozenset(range(count)) for count in counts)
        if how is Selection.TAP:
            return _of_clusters(calibration, wanted, trajectories, seed)
        features = mid_block_inputs(model, calibration)
        counts = apportion(shares(features, diversity, radius), wanted, trajectories)
        return in_turn(counts, trajectories, seed)

    origin = f"{calibration.origin}, {how.value} choice"
    return replace(calibration, read=_reader(calibration, chosen), origin=origin, more=None)


def _of_clusters(
    calibration: Calibration, wanted: int, trajectories: int, seed: int
) -> tuple[frozenset[int], ...]:
    """TAP's choice: the trajectories of each call, among those that every call has."""
    calls = len(calibration.schedule)
    latents = [torch.cat([batch["sample"] for batch in calibration.read(call)]) for call in range(calls)]
    owners = [call for call in range(calls) for _ in range(trajectories)]
    times = torch.tensor(owners, dtype=torch.float64) / max(calls - 1, 1)
    labels = clusters(torch.cat([one[:trajectories] for one in latents]), times, seed=seed)
    taken = in_turn_of_clusters(labels, owners, wanted, seed)
    return tuple(
        frozenset(index % trajectories for index in taken if owners[index] == call) for call in range(calls)
    )


def apportion(weights: torch.Tensor, samples: int, largest: int) -> list[int]:
    """How many samples each call gets: in proportion to its weight, 1 to `largest`, `samples` in all.

    weights: float (T,), not negative, not all 0. Where rounding leaves some over, calls with most get one
    more each; where it takes too many, the last calls give one back (EDA-DM). What doesn't fit under
    `largest` is left out.
    """
    calls = len(weights)
    samples = min(max(samples, calls), largest * calls)
    counts = [int(n) for n in torch.round(samples * weights / weights.sum()).clamp(1, largest)]
    while sum(counts) < samples:
        for call in sorted(range(calls), key=lambda one: (-counts[one], one)):
            if sum(counts) < samples and counts[call] < largest:
                counts[call] += 1
    while sum(counts) > samples:
        for call in reversed(range(calls)):
            if sum(counts) > samples and counts[call] > 1:
                counts[call] -= 1
    return counts


def in_turn(counts: Sequence[int], trajectories: int, seed: int) -> tuple[frozenset[int], ...]:
    """The trajectories that each call's samples come from: each in its turn, calls in a shuffled order."""
    order = torch.randperm(len(counts), generator=torch.Generator().manual_seed(seed)).tolist()
    result: list[frozenset[int]] = [frozenset()] * len(counts)
    position = 0
    for call in order:
        result[call] = frozenset((position + i) % trajectories for i in range(counts[call]))
        position += counts[call]
    return tuple(result)


def _reader(
    calibration: Calibration, chosen: Callable[[], tuple[frozenset[int], ...]]
) -> Callable[[int], Iterator[Inputs]]:
    def read(step: int) -> Iterator[Inputs]:
        # Chosen here, by the one thread that reads.
        return _rows(calibration.read(step), chosen()[step])

    return read


def _rows(batches: Iterator[Inputs], wanted: frozenset[int]) -> Iterator[Inputs]:
    """The wanted samples, numbered through all batches."""
    first = 0
    for inputs in batches:
        size = samples_in(inputs)
        rows = [row for row in range(size) if first + row in wanted]
        if rows:
            yield {name: value[rows] for name, value in inputs.items()}
        first += size


def _count(calibration: Calibration, step: int) -> int:
    count = sum(samples_in(inputs) for inputs in calibration.read(step))
    if not count:
        raise DgqcError(f"The calibration holds no samples for call {step}; record it again.")
    return count
