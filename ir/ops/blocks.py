"""Large results a block of rows at a time: what the reference computes on the way is eight bytes wide, and a
block of it stays in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

import torch

from ..parallel import in_blocks

BLOCK = 2**17
"""Elements of a block, but for one that is a single row, or as few rows as a product needs."""
PRODUCT = 128
"""Rows of a product's block at least: it reads the whole other side."""


def by_rows(
    function: Callable[..., tuple[torch.Tensor, ...]],
    width: int,
    *tensors: torch.Tensor,
    whole: Sequence[torch.Tensor] = (),
    least: int = 1,
) -> tuple[torch.Tensor, ...]:
    """A function's results, which must depend row by row on its arguments' rows; rows are the axis -2.

    width: elements of the largest row on the way. whole: what the function is given after the rows: of each
    place in the axes before the last two, all of it. least: rows of a block.
    """
    before, count = tensors[0].shape[:-2], tensors[0].shape[-2]
    if before.numel() * count * width <= BLOCK:
        return function(*tensors, *whole)
    size = max(least, BLOCK // width)
    flat = [t.reshape(-1, *t.shape[-2:]) for t in tensors]
    sides = [t.expand(*before, *t.shape[-2:]).reshape(-1, *t.shape[-2:]) for t in whole]
    starts = [(place, start) for place in range(before.numel()) for start in range(0, count, size)]
    firsts = [place * count + start for place, start in starts]
    blocks = [
        (*(t[place, start : start + size] for t in flat), *(t[place] for t in sides))
        for place, start in starts
    ]
    results = _Results(function, len(flat[0]) * count)
    in_blocks(results.put, [(number, *block) for number, block in zip(firsts, blocks, strict=True)])
    return tuple(result.reshape(*before, count, -1) for result in results.whole)


class _Results:
    """What a function makes of blocks of rows, each put where it belongs by the thread that made it."""

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]], rows: int) -> None:
        """rows: of all blocks together."""
        self.function, self.rows = function, rows
        self.whole: tuple[torch.Tensor, ...] = ()
        self._lock = Lock()

    def put(self, first: int, *block: torch.Tensor) -> None:
        """first: row of the block among all."""
        parts = self.function(*block)
        with self._lock:
            # What the function makes is known by now, and all blocks make the same.
            self.whole = self.whole or tuple(part.new_empty(self.rows, part.shape[-1]) for part in parts)
        for whole, part in zip(self.whole, parts, strict=True):
            whole[first : first + len(part)] = part


def along_rows(
    function: Callable[..., torch.Tensor], *tensors: torch.Tensor, width: int = 0, least: int = 1
) -> torch.Tensor:
    """A function of tensors that broadcast against each other, whose result's rows depend on theirs alone.

    The function is given all of them, or rows of them, and of a table that all rows share this row. Returns
    (..., N). width: elements of the largest row on the way, if more than theirs. least: rows of a block.
    """
    shape = torch.broadcast_shapes(*(t.shape for t in tensors))[:-1]  # type: ignore[no-untyped-call]
    widest = max(width, *(t.shape[-1] for t in tensors if t.dim()))
    if shape.numel() == 1 or shape.numel() * widest <= BLOCK:
        return function(*tensors)
    shared = {
        place: t.reshape(t.shape[-1:]) for place, t in enumerate(tensors) if not t.shape[:-1].numel() > 1
    }
    rows = [t.expand(*shape, t.shape[-1]).flatten(0, -2) for t in tensors if t.shape[:-1].numel() > 1]

    def of_block(*block: torch.Tensor) -> tuple[torch.Tensor]:
        left = iter(block)
        given = (shared[place] if place in shared else next(left) for place in range(len(tensors)))
        return (function(*given),)

    (result,) = by_rows(of_block, widest, *rows, least=least)
    return result.reshape(*shape, result.shape[-1])
