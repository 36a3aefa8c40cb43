"""`balance-queries`: features of queries and keys that only together are of ordinary size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import fx

from ...ir.level import Level
from ...ir.ops.captured import channel_axis, is_layer, is_view
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .attention import attentions
from .edit import add_constant, clean, constant, propagate, shape

UNLIKE = 12.0
"""Octaves between a feature's sizes in queries and keys, beside the median's, from which it counts."""


@dataclass(frozen=True)
class SideOrigin:
    """The layer that a side of a product of queries and keys comes from.

    row: int64 (the side's shape, the summed axis last), the layer's output channel behind each element.
    """

    layer: fx.Node
    row: torch.Tensor


@register_pass
@dataclass(frozen=True)
class BalanceQueries(Pass):
    """Multiplies rows of the queries' layer by powers of two and divides those of the keys' by the same.

    Their product stays what it was, to the bit. In some trained models a feature of the queries is a thousand
    times the others and the key's as much smaller: with one scale for all features the others are rounded
    away. Only features are touched whose sizes, by their weights' rows, are further apart than 2^12 beside
    the median feature; and only where views alone stand between the layers and the product.
    """

    name: ClassVar[str] = "balance-queries"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED

    def run(self, program: Program) -> Program:
        graph = program.graph
        readers = _readers(graph.graph)
        balanced: dict[str, int] = {}
        for attention in attentions(graph.graph):
            for logits in attention.logits:
                sides = (_source(logits.args[0], -1), _source(logits.args[1], -2))
                factors = _factors(graph, readers, *sides)
                if factors is None:
                    continue
                for side, factor in zip(sides, factors, strict=True):
                    assert side is not None
                    _scale(graph, side.layer, factor)
                balanced[str(logits.meta.get("module"))] = int((factors[0] != 1).sum())
        clean(graph)
        propagate(program)
        return program.with_report(self.name, {"balanced": balanced})


def _readers(graph: fx.Graph) -> Mapping[str, int]:
    """How many nodes read each constant."""
    found: dict[str, int] = {}
    for node in graph.nodes:
        for read in node.all_input_nodes:
            if read.op == "get_attr":
                found[str(read.target)] = found.get(str(read.target), 0) + 1
    return found


def _source(side: object, summed: int) -> SideOrigin | None:
    """Where a side comes from; None where more than views of one layer's result stand between."""
    chain: list[fx.Node] = []
    while isinstance(side, fx.Node) and is_view(side):
        chain.append(side)
        side = side.args[0]
    if not isinstance(side, fx.Node) or not is_layer(side) or any(len(one.users) != 1 for one in chain):
        return None
    sizes = [1] * len(shape(side))
    sizes[channel_axis(side)] = -1
    row = torch.arange(shape(side)[channel_axis(side)]).reshape(sizes).expand(shape(side))
    for node in reversed(chain):
        row = node.target(row, *node.args[1:], **node.kwargs)  # type: ignore[operator]
    row = row.transpose(-1, summed)
    return SideOrigin(side, row[..., 0, :]) if bool((row == row[..., :1, :]).all()) else None


def _factors(
    graph: fx.GraphModule, readers: Mapping[str, int], query: SideOrigin | None, key: SideOrigin | None
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """What the rows of both layers are multiplied by, float64 (rows,) each; None where they stay.

    Each row of one must meet one row of the other.
    """
    if query is None or key is None or query.layer is key.layer or query.row.shape != key.row.shape:
        return None
    if any(readers[str(part.target)] > 1 for one in (query, key) for part in _constants(one.layer)):
        return None
    pairs = torch.unique(torch.stack([query.row.reshape(-1), key.row.reshape(-1)]), dim=1)
    if any(len(side.unique()) != pairs.shape[1] for side in pairs):
        return None
    sizes = [_sizes(graph, one.layer)[rows] for one, rows in zip((query, key), pairs, strict=True)]
    apart = torch.log2(sizes[0] / sizes[1])
    apart = apart - apart.median()
    octaves = torch.where(apart.abs() >= UNLIKE, torch.round(apart / 2), 0.0)
    if not bool(octaves.any()):
        return None
    found = []
    for one, rows, sign in zip((query, key), pairs, (-1, 1), strict=True):
        factor = torch.ones(len(_sizes(graph, one.layer)), dtype=torch.float64)
        factor[rows] = torch.exp2(sign * octaves)
        found.append(factor)
    return found[0], found[1]


def _constants(layer: fx.Node) -> list[fx.Node]:
    """A layer's weight and bias."""
    return [one for one in layer.args[1:3] if isinstance(one, fx.Node)]


def _sizes(graph: fx.GraphModule, layer: fx.Node) -> torch.Tensor:
    """Of the rows of a layer's weight, float64 (rows,)."""
    weight = constant(graph, _constants(layer)[0]).detach().double()
    sizes: torch.Tensor = weight.flatten(start_dim=1).norm(dim=1).clamp(min=1e-30)
    return sizes


def _scale(graph: fx.GraphModule, layer: fx.Node, factor: torch.Tensor) -> None:
    for place, one in enumerate(_constants(layer), start=1):
        real = constant(graph, one).detach()
        value = (real.double() * factor.reshape(-1, *[1] * (real.dim() - 1))).to(real.dtype)
        with graph.graph.inserting_before(layer):
            layer.update_arg(place, add_constant(graph, f"{one.target}.balanced", value))
