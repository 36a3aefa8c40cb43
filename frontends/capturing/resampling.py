"""What mixes neighbouring pixels in fixed shares, as sums of taken pixels: any interpolation, any size."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import fx

from .graph_builder import aten
from .rewriter import Rewriter

Resampling = Callable[[torch.Tensor], torch.Tensor]
MOST = 8
"""Neighbours along an axis; more of them are a product."""


def resampled(rewriter: Rewriter, value: fx.Node, resampling: Resampling, after: object = None) -> fx.Node:
    """An image (1, C, H, W) resampled along both axes, one after the other.

    resampling: what PyTorch does, linear and each axis by itself; the shares of each pixel are read off what
    it makes of images with one bright line.
    """
    sizes = [int(size) for size in value.meta["val"].shape[2:]]
    for axis in (2, 3):
        lines = torch.eye(sizes[axis - 2])
        images = (lines[None, :, :, None] if axis == 2 else lines[None, :, None, :]).expand(1, -1, *sizes)
        found = resampling(images.contiguous())[0]
        shares = found[:, :, 0] if axis == 2 else found[:, 0, :]
        value = _mixed(rewriter, value, axis, shares.T.double())
    return value


def _mixed(rewriter: Rewriter, value: fx.Node, axis: int, shares: torch.Tensor) -> fx.Node:
    """Each place of the new axis as the sum of a few places of the old one. shares: (new, old)."""
    used = int((shares != 0).sum(dim=1).max())
    if torch.equal(shares, torch.eye(len(shares), shares.shape[1], dtype=shares.dtype)):
        return value
    if used > MOST:
        raise rewriter.unsupported(detail=f"each of its pixels mixes {used} others along an axis")
    weights, places = shares.abs().topk(used, dim=1)
    weights = torch.gather(shares, 1, places)
    order = places.argsort(dim=1)
    weights, places = weights.gather(1, order), places.gather(1, order)
    total: fx.Node | None = None
    for number in range(used):
        weight = weights[:, number].to(value.meta["val"].dtype)
        taken = rewriter.take(value, axis, places[:, number])
        factors = rewriter.constant(weight.reshape(-1, *[1] * (3 - axis)), "shares")
        part = rewriter.emit(aten.mul.Tensor, taken, factors)
        total = part if total is None else rewriter.emit(aten.add.Tensor, total, part)
    assert total is not None
    return total
