"""Means over a layer's rows: chunks of samples in a fixed number of groups, and those in order.

Within a group sums are single precision, beyond it double. Who computes a group makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ....ir.devices import CPU
from ....ir.moving import moved
from ....ir.ranks import owned, shared_out

GROUPS = 8
"""Groups of chunks; a chunk belongs to the one of its number, modulo this."""
SQUARE = 256
"""Lines of x^T x that are computed at once, from the diagonal on."""

ChunkRows = Callable[[int], torch.Tensor]
"""Rows of a chunk, float32 (rows, inputs)."""
RowOutcomes = Callable[[int, torch.Tensor], torch.Tensor]
"""What belongs to rows x of a chunk, float32 (rows, outputs)."""


def groups(count: int) -> list[range]:
    """So many chunks, by group; groups without any are left out."""
    return [range(group, count, GROUPS) for group in range(min(GROUPS, count))]


def own_chunks(count: int) -> list[int]:
    """Those of so many that this process computes."""
    return [chunk for chunk in range(count) if owned(chunk % GROUPS)]


def sums(
    count: int, add: Callable[[int, list[torch.Tensor]], None], zeros: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """float64 sums over so many chunks, where float work is computed. add: adds a chunk's to float32 tensors
    like `zeros`, in place."""

    def of_group(group: Sequence[int]) -> list[torch.Tensor]:
        totals = [moved(torch.zeros_like(one)) for one in zeros]
        for chunk in group:
            add(chunk, totals)
        return [one.to(CPU) for one in totals]

    whole = [torch.zeros(one.shape, dtype=torch.float64) for one in zeros]
    for part in shared_out(of_group, groups(count)):
        for total, one in zip(whole, part, strict=True):
            total += one
    return [moved(one) for one in whole]


def means(
    count: int,
    rows: ChunkRows,
    size: int,
    outcomes: Sequence[tuple[RowOutcomes, int]],
    moments: bool,
) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    """Means over the rows x of so many chunks: x^T x, float64 (size, size), None where moments aren't asked
    for; and y^T x for each kind of outcome y, float64 (outputs, size).

    outcomes: with how many outputs each has.
    """

    def add(chunk: int, totals: list[torch.Tensor]) -> None:
        x = rows(chunk)
        totals[0] += len(x)
        for total, (outcome, _) in zip(totals[1:], outcomes, strict=False):
            total.addmm_(outcome(chunk, x).T, x)
        if moments:
            _add_square(x, totals[-1])

    zeros = [torch.zeros(()), *(torch.zeros(outputs, size) for _, outputs in outcomes)]
    total, *found = sums(count, add, [*zeros, torch.zeros(size, size)] if moments else zeros)
    found = [one.div_(total) for one in found]
    return (_mirrored(found.pop()), found) if moments else (None, found)


def _add_square(x: torch.Tensor, total: torch.Tensor) -> None:
    """total += x^T x, on and above the diagonal, which is little more than half of the work."""
    for first in range(0, len(total), SQUARE):
        last = first + SQUARE
        total[first:last, first:].addmm_(x[:, first:last].T, x[:, first:])


def _mirrored(square: torch.Tensor) -> torch.Tensor:
    """A symmetric matrix from what is on and above its diagonal."""
    return square.triu_() + square.triu(1).T
