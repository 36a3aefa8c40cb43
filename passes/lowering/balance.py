"""Balanced values: their steps are worth less, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.ops.wide import FINER
from ...ir.plans import ratios
from ...ir.tensors import compressed
from ..graph.edit import dgqc
from .builder import IntegerGraphBuilder
from .registry import lowers
from .values import Joined, LoweredValue, Scaled


@lowers(dgqc.balance.default)
def lower_balance(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """No op: the channels' exponents fall."""
    source, given, axis = node.args
    assert isinstance(axis, int)
    value, by = builder.apart(source, wide=True), builder.weight(given)
    if isinstance(value, Scaled):
        return _balanced(value, by, axis)
    if value.axis != axis % len(value.layout.shape):
        return _balanced(builder.scaled(source), by, axis)
    sizes = [part.layout.shape[value.axis] for part in value.parts]
    parts = zip(value.parts, torch.split(by, sizes), strict=True)
    return replace(
        value, parts=tuple(_balanced(part, own, axis) for part, own in parts), scale=_whole(value, by)
    )


def _balanced(value: Scaled, by: torch.Tensor, axis: int) -> Scaled:
    sizes = [1] * len(value.layout.shape)
    sizes[axis] = -1
    have = torch.zeros(1, dtype=torch.int64) if value.exponent is None else value.exponent
    return replace(value, exponent=compressed(have - by.reshape(sizes)))


def _whole(value: Joined, by: torch.Tensor) -> torch.Tensor:
    """A scale that holds all parts in 16 bits: float64 (T,)."""
    scales = value.scales(value.axis)
    if scales is None:
        return value.scale
    return (scales * ratios(-by)).amax(dim=1) * (FINER if value.wide else 1)
