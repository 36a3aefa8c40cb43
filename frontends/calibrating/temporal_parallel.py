"""TAP: samples that stand for all others, by what they hold and by when they were taken (Q&C)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import torch
from sklearn.cluster import KMeans
from torch.nn.functional import normalize

from ...ir.parallel import single_threaded

SUBSETS, SHARE = 3, 20
"""Q&C's m, and of how many samples each subset has one."""
CLUSTERS = 100
MOST_DIRECTIONS = 16
"""Of each subset's spectrum; what follows is small and noise."""


def clusters(values: torch.Tensor, times: torch.Tensor, similarity: float = 0.5, seed: int = 0) -> list[int]:
    """The cluster of each sample, numbered from 0; at most CLUSTERS, and a quarter of the samples.

    values: float (N, ...), a row a sample. times: (N,), when each was taken, 0 to 1 over the schedule.
    similarity: the weight alpha of the cosine between two samples; that of exp(-|t - t'|) is 1 - alpha.

    Spectral: all samples beside a few, A = alpha cos(x, x') + (1 - alpha) exp(-|t - t'|) of shape (N, n), is
    brought to unit degrees, Dr^-1/2 A Dc^-1/2; its left singular vectors place the samples, and K-means
    parts them. Q&C does so for SUBSETS random subsets of N / SHARE samples.

    Our deviations: cosines are taken as (1 + cos) / 2, since degrees must not be negative; times are parts
    of the schedule, not of a thousand; the subsets' vectors stand side by side; the number of clusters goes
    with that of the samples. Seeded, so the same samples give the same clusters.
    """
    count = len(values)
    directions = normalize(values.reshape(count, -1).double(), dim=1)
    generator = torch.Generator().manual_seed(seed)
    few = max(2, count // SHARE)
    with single_threaded():
        placed = [
            _placed(directions, times.double(), torch.randperm(count, generator=generator)[:few], similarity)
            for _ in range(SUBSETS)
        ]
        points = torch.cat(placed, dim=1).numpy()
        wanted = max(1, min(CLUSTERS, count // 4, len(numpy.unique(points.round(9), axis=0))))
        labels = KMeans(n_clusters=wanted, n_init=1, random_state=seed).fit_predict(points)
    return [int(label) for label in labels]


def _placed(
    directions: torch.Tensor, times: torch.Tensor, subset: torch.Tensor, similarity: float
) -> torch.Tensor:
    """Where all samples lie beside a few, float64 (N, k)."""
    alike = (1 + directions @ directions[subset].T) / 2
    close = torch.exp(-(times[:, None] - times[subset][None]).abs())
    affinity = similarity * alike + (1 - similarity) * close
    rows, columns = affinity.sum(dim=1, keepdim=True), affinity.sum(dim=0, keepdim=True)
    left, _, _ = torch.linalg.svd(affinity / (rows * columns).sqrt(), full_matrices=False)
    # A direction's sign is nobody's choice: the largest of its numbers is made positive.
    kept = left[:, :MOST_DIRECTIONS]
    largest = kept.gather(0, kept.abs().argmax(dim=0, keepdim=True))
    placed: torch.Tensor = kept * largest.sign()
    return placed


def in_turn_of_clusters(labels: Sequence[int], owners: Sequence[int], wanted: int, seed: int) -> list[int]:
    """Which samples are taken: one of each owner, then one of each cluster in its turn, at random in it.

    labels: the cluster of each sample. owners: its UNet call. Returns `wanted` indices, in order, or all
    where there are fewer.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed)).tolist()
    first = {owners[index]: index for index in reversed(order)}
    taken = set(first.values())
    waiting: dict[int, list[int]] = {}
    for index in order:
        if index not in taken:
            waiting.setdefault(labels[index], []).append(index)
    while len(taken) < wanted and waiting:
        for label in sorted(waiting):
            if len(taken) == wanted:
                break
            taken.add(waiting[label].pop())
        waiting = {label: rest for label, rest in waiting.items() if rest}
    return sorted(taken)
