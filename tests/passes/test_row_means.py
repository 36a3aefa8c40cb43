"""Means over a layer's rows: what they are, whichever part of a symmetric matrix was computed."""

from __future__ import annotations

import pytest
import torch

from dgqc.passes.weights.reconstruction.row_means import GROUPS, SQUARE, means


@pytest.mark.parametrize("size", [1, SQUARE - 1, SQUARE, SQUARE + 1, 2 * SQUARE + 88])
@pytest.mark.parametrize("chunks", [1, GROUPS + 3])
def test_means(size: int, chunks: int) -> None:
    """More chunks than groups, of unequal numbers of rows, with outcomes of two sizes."""
    rng = torch.Generator().manual_seed(size + chunks)
    rows = [torch.randn(3 + chunk, size, generator=rng) for chunk in range(chunks)]
    wanted = torch.randn(size, 5, generator=rng)
    outcomes = [(lambda chunk, x: x @ wanted, 5), (lambda chunk, x: x[:, :1], 1)]
    square, (first, second) = means(chunks, rows.__getitem__, size, outcomes, moments=True)

    x = torch.cat(rows).double()
    assert square is not None
    assert torch.equal(square, square.T)
    for found, exact in (
        (square, x.T @ x),
        (first, (x @ wanted.double()).T @ x),
        (second, x[:, :1].T @ x),
    ):
        assert torch.allclose(found, exact / len(x), rtol=1e-4, atol=1e-5)


def test_moments_that_nobody_asks_for() -> None:
    assert means(2, lambda chunk: torch.ones(3, 4), 4, [], moments=False) == (None, [])
