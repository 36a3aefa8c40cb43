"""Large results a block of rows at a time: what the reference computes on the way is eight bytes wide."""

from __future__ import annotations

from collections.abc import Callable

import torch

BLOCK = 2**19
"""Elements of a block: what is computed from it stays in the cache, and a large attention in memory."""


def by_rows(
    function: Callable[..., tuple[torch.Tensor, ...]], width: int, *tensors: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """A function's results, which must depend row by row on its arguments' rows; rows are the axis -2.

    width: elements of the largest row on the way.
    """
    shape = tensors[0].shape[:-1]
    count = shape[-1]
    size = max(1, BLOCK * count // max(1, shape.numel() * width))
    if size >= count:
        return function(*tensors)
    parts = [function(*part) for part in zip(*(torch.split(t, size, dim=-2) for t in tensors), strict=True)]
    return tuple(torch.cat(results, dim=-2) for results in zip(*parts, strict=True))
