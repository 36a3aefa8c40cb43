"""Choices that the compiler doesn't offer, as passes of their own: what are they worth beside its own?"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import fx

from dgqc.ir.level import Level
from dgqc.ir.plans import GroupedOperand, PlacedOperand, QuantizedOperand, Ranges
from dgqc.ir.program import Program
from dgqc.passes.activations.error_groups import merged
from dgqc.passes.activations.grouping import Grouping
from dgqc.passes.activations.kmeans_groups import cluster
from dgqc.passes.activations.timestep_tables import TimestepTables, group_ranges, tabulate
from dgqc.passes.base import Pass
from dgqc.passes.graph.edit import aten
from dgqc.passes.graph.fold_time_embedding import FoldTimeEmbedding
from dgqc.passes.manager.registry import register_pass
from dgqc.passes.weights.quantize_weights import RangeMethod, round_to_nearest

Range = tuple[float, float]


@register_pass
@dataclass(frozen=True)
class NormalizedGroups(Grouping):
    """`kmeans-groups` on ranges as shares of the call's largest, so that each call has the same say."""

    name: ClassVar[str] = "normalized-groups"

    def assign(self, plan: PlacedOperand) -> torch.Tensor:
        low, high = plan.ranges.low, plan.ranges.high
        largest = (high - low).amax(dim=1, keepdim=True).clamp(min=1e-9)
        return cluster(Ranges(low / largest, high / largest), self.groups)


@register_pass
@dataclass(frozen=True)
class PictureGroups(Grouping):
    """`error-groups` in which a call counts by what its error costs the picture.

    costs: a number for each call, separated by semicolons.
    """

    costs: str = field(kw_only=True)

    name: ClassVar[str] = "picture-groups"

    def assign(self, plan: PlacedOperand) -> torch.Tensor:
        costs = torch.tensor([float(cost) for cost in self.costs.split(";")], dtype=torch.float64)
        return merged(plan.ranges, self.groups, plan.operand.padded, costs)


@register_pass
@dataclass(frozen=True)
class PowerOfTwoTables(Pass):
    """`timestep-tables` whose multiples are powers of two, 1 to 64: scales would be shifts.

    offsets: how many bases within an octave are tried.
    """

    offsets: int = 32

    name: ClassVar[str] = "power-of-two-tables"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"groups"})
    provides: ClassVar[frozenset[str]] = frozenset({"tables"})

    def run(self, program: Program) -> Program:
        tabled = TimestepTables().run(program)
        plans = {
            name: self._rounded(plan) if isinstance(plan, GroupedOperand) else tabled.plans[name]
            for name, plan in program.plans.items()
        }
        return replace(tabled, plans=plans)

    def _rounded(self, plan: GroupedOperand) -> QuantizedOperand:
        """Every scale grows to the next power of two times a base; the base loses least of those tried."""
        fine = tabulate(plan, 12)
        groups = fine.multiple.shape[1]
        if groups == 1:
            return fine
        low, _ = group_ranges(plan, groups)
        if plan.operand.padded:
            low = low.clamp(max=0)
        members = torch.bincount(plan.group, minlength=groups).double()
        octave = torch.exp2(torch.arange(self.offsets, dtype=torch.float64) / self.offsets)
        bases = fine.scale.amax(dim=1, keepdim=True) / 64 * octave
        exponent = torch.log2(fine.scale[:, None, :] / bases[:, :, None]).sub(1e-9).ceil().clamp(0, 6)
        used = bases[:, :, None] * torch.exp2(exponent)
        best = (used.square() * members).sum(dim=2).argmin(dim=1)
        call = torch.arange(len(best))
        base, multiple = bases[call, best], torch.exp2(exponent[call, best]).to(torch.int64)
        zero = torch.round(-low / (base[:, None] * multiple)).to(torch.int64)
        return replace(fine, base=base, multiple=multiple, zero=zero)


@register_pass
@dataclass(frozen=True)
class QuantizedTimeEmbedding(FoldTimeEmbedding):
    """`fold-time-embedding` of an embedding whose linears are quantized first, each with one range for all
    calls, as published methods do. weights, activations: bits.
    """

    weights: int = 8
    activations: int = 8

    name: ClassVar[str] = "quantized-time-embedding"

    def run(self, program: Program) -> Program:
        seen: dict[str, Range] = {}
        alone = replace(program, calibration=None)
        _Recording(seen).run(copy.deepcopy(alone))
        return _Quantizing(self.weights, self.activations, seen).run(program)


@dataclass(frozen=True)
class _Recording(FoldTimeEmbedding):
    """Notes each linear's range."""

    seen: dict[str, Range]

    def compute(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
        if node.target is aten.linear.default:
            x = values[node.all_input_nodes[0]]
            low, high = self.seen.get(node.name, (float("inf"), float("-inf")))
            self.seen[node.name] = (min(low, float(x.min())), max(high, float(x.max())))
        return super().compute(node, values)


@dataclass(frozen=True)
class _Quantizing(FoldTimeEmbedding):
    """Rounds each linear's input and weights."""

    weights: int
    activations: int
    seen: dict[str, Range]

    def compute(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
        if node.target is not aten.linear.default:
            return super().compute(node, values)
        source, weight = node.all_input_nodes[:2]
        low, high = self.seen[node.name]
        last = 2**self.activations - 1
        scale = (high - low) / last
        zero = round(-low / scale)
        x = scale * ((torch.round(values[source] / scale) + zero).clamp(0, last) - zero)
        rounded = round_to_nearest(values[weight], self.weights, RangeMethod.MSE)
        w = rounded.codes * rounded.scale[:, None]
        return super().compute(node, {**values, source: x, weight: w.to(x.dtype)})
