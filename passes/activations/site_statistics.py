"""What one site's values show of samples: extremes of each channel and pixel, by picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx
from torch.nn.functional import max_pool2d, pad

from ...ir.ops.captured import channel_axis
from ...ir.plans import Activation16, Operand, Plan, Role
from .by_picture import furthest
from .observation import LOWEST, Statistics

SeenBy = tuple[Statistics, Statistics]
"""What was seen, without the number of pictures, and whose its first four are; of nobody where it is one."""


def joined(old: SeenBy, new: SeenBy) -> SeenBy:
    """Of two parts of a call's samples, in which a picture may be twice."""
    (before, owners), (after, others) = old, new
    if not owners:
        return (torch.maximum(before[0], after[0]),), ()
    both = [torch.cat(pair) for pair in zip(before, after, strict=True)]
    whose = [torch.cat(pair) for pair in zip(owners, others, strict=True)]
    return _by_picture(both[:LOWEST], whose, both[LOWEST:])


def _by_picture(
    extremes: Sequence[torch.Tensor], pictures: Sequence[torch.Tensor], ends: Sequence[torch.Tensor]
) -> SeenBy:
    """The furthest of two pictures each, lows and highs in turns, and whose they are."""
    found = [
        furthest(one, owner, up=place % 2 == 1)
        for place, (one, owner) in enumerate(zip(extremes, pictures, strict=True))
    ]
    return (*(one for one, _ in found), *ends), tuple(owner for _, owner in found)


def statistics(x: torch.Tensor, plan: Plan, site: fx.Node, pictures: torch.Tensor) -> SeenBy:
    """Six of an operand and whose the first four are, the largest magnitudes of anything else.

    pictures: whose picture each sample is that x is of, int64 (B,).
    """
    if isinstance(plan, Activation16):
        source = site.args[0]
        assert isinstance(source, fx.Node)
        axis = channel_axis(source)
        others = [one for one in range(x.dim()) if one != axis]
        return (torch.maximum(-x.amin(dim=others), x.amax(dim=others)).abs(),), ()
    if not isinstance(plan, Operand):
        smallest, largest = torch.aminmax(x)
        return (torch.maximum(-smallest, largest).abs(),), ()
    batch = len(pictures)
    # (samples, parts of one, ...); what all samples share is one for all.
    parts = x.reshape(batch, -1, *x.shape[1:]) if len(x) % batch == 0 else x[None]
    low, high = _extremes(parts, _channel_axis(plan, x.dim()))
    ends = low.amin(dim=1).expand(batch), high.amax(dim=1).expand(batch)
    if plan.role is Role.CONVOLUTION:
        if plan.padded:
            low, high = low.clamp(max=0), high.clamp(min=0)
        patches = _patch_extremes(parts.flatten(0, 1), site)
        of_samples = [one.reshape(*parts.shape[:2], -1) for one in patches]
        pixels = of_samples[0].amin(dim=1), of_samples[1].amax(dim=1)
    else:
        # Of a (B, C) input each sample is one pixel; several rows of one sample are as many.
        pixels = _extremes(parts, 2 * x.dim() - 3 - _channel_axis(plan, x.dim()))
    extremes = (low, high, *pixels)
    return _by_picture(extremes, [pictures[: len(one), None] for one in extremes], ends)


def _channel_axis(plan: Operand, dimensions: int) -> int:
    """Where channels lie in a value of so many dimensions; pixels are the other of the last two."""
    if plan.role is Role.CONVOLUTION:
        return 1
    return dimensions - 2 if plan.role is Role.RIGHT else dimensions - 1


def _extremes(parts: torch.Tensor, axis: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and the largest value of each sample and index along an axis, (samples, n); of all values
    of a sample where there is none. parts: (samples, parts, ...). axis: counted without the first."""
    others = [one for one in range(1, parts.dim()) if axis is None or one != axis + 1]
    low, high = parts.amin(dim=others), parts.amax(dim=others)
    return low.reshape(len(parts), -1), high.reshape(len(parts), -1)


def _patch_extremes(x: torch.Tensor, site: fx.Node) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each output position's whole patch, (B, positions). x: (B, C, H, W)."""
    user = next(iter(site.users))
    weight: Any = user.args[1]
    stride: Any = user.args[3]
    padding: Any = user.args[4]
    kernel = tuple(weight.meta["val"].shape[2:])
    borders = (padding[1], padding[1], padding[0], padding[0])
    lowest = pad(x.amin(dim=1, keepdim=True), borders)
    highest = pad(x.amax(dim=1, keepdim=True), borders)
    low = -max_pool2d(-lowest, kernel, tuple(stride))
    return low.flatten(1), max_pool2d(highest, kernel, tuple(stride)).flatten(1)
