"""Maps of attention probabilities: the mean stays, the first key stands by itself."""

from __future__ import annotations

import torch

from dgqc.passes.simulation.score_maps import KEYS, QUERIES, score_map


def test_small_maps_are_means_over_heads() -> None:
    probabilities = torch.tensor([[[[0.75, 0.25], [0.5, 0.5]], [[0.25, 0.75], [0.5, 0.5]]]])
    assert score_map(probabilities) == [[0.5, 0.5], [0.5, 0.5]]


def test_large_maps_are_pooled_but_for_the_start_token() -> None:
    probabilities = torch.full((2, 100, 200), 0.1 / 199)
    probabilities[..., 0] = 0.9
    found = score_map(probabilities)
    assert len(found) == QUERIES
    assert all(len(row) == KEYS for row in found)
    assert all(row[0] == 0.9 and max(row[1:]) < 0.001 for row in found)


def test_a_single_key_is_a_map_too() -> None:
    assert score_map(torch.ones(1, 1, 3, 1)) == [[1.0], [1.0], [1.0]]
