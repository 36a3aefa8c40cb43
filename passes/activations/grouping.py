"""What passes that let indices share a quantizer have in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy
import torch
from numpy.typing import NDArray
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import Dimension, GroupedOperand, PlacedOperand, Plan, Ranges, Role, Variation, of_all
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ..base import Decisions, Pass
from ..graph.edit import dgqc, shape


@dataclass(frozen=True)
class Grouping(Pass):
    """Puts the indices along each operand's outlier dimension into groups, one assignment for all calls.

    A pass says how, in `assign`.

    groups: how many, 1 to 256; fewer where there are fewer distinct ranges.
    """

    groups: int = 8

    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"outlier-dims"})
    provides: ClassVar[frozenset[str]] = frozenset({"groups"})

    def __post_init__(self) -> None:
        if not 1 <= self.groups <= 256:
            raise DgqcError(f"{self.name} takes 1 to 256 groups, not {self.groups}.")

    @abstractmethod
    def assign(self, plan: PlacedOperand) -> torch.Tensor:
        """The group of each index, int64 (n,), numbered 0 .. G-1 in the order in which they first appear."""

    def decides(self) -> Decisions:
        return {"groups": self.groups}

    def run(self, program: Program) -> Program:
        plans: dict[str, Plan] = dict(program.plans)
        placed = [(name, plan) for name, plan in plans.items() if isinstance(plan, PlacedOperand)]
        sites = {
            str(node.args[1]): node for node in program.graph.graph.nodes if node.target is dgqc.site.default
        }

        def grouped(one: tuple[str, PlacedOperand]) -> GroupedOperand:
            return _in_groups(one[1], self.assign(one[1]), sites[one[0]])

        found = track(shared_out(grouped, placed), "grouping", len(placed))
        plans |= {name: plan for (name, _), plan in zip(placed, found, strict=True)}
        return replace(program, plans=plans).with_report(
            self.name, {"groups": self.groups, "operands": len(placed)}
        )


def _in_groups(plan: PlacedOperand, group: torch.Tensor, site: fx.Node) -> GroupedOperand:
    """One quantizer for a whole image has no dimension; along channels it is applied before a convolution
    gathers patches, along pixels to every patch anew: to nine values for each one with a kernel of 3 x 3.
    """
    dimension, ranges, variation = plan.dimension, plan.ranges, plan.variation
    one_for_all = plan.operand.role is Role.CONVOLUTION and not bool(group.any())
    if one_for_all and dimension is Dimension.PIXEL:
        channels = shape(site)[1]
        dimension, group = Dimension.CHANNEL, torch.zeros(channels, dtype=torch.int64)
        ranges = Ranges(*of_all(ranges, channels))
        if variation is not None:
            variation = Variation(variation.samples, *of_all(variation, channels))
    return GroupedOperand(plan.operand, dimension, ranges, group, variation)


def in_order(labels: NDArray[numpy.integer[Any]]) -> torch.Tensor:
    """The same groups, int64 (n,), numbered 0 .. G-1 in the order in which they first appear."""
    _, first, compact = numpy.unique(labels, return_index=True, return_inverse=True)
    rank = numpy.argsort(numpy.argsort(first))
    return torch.from_numpy(rank[compact.reshape(-1)].astype(numpy.int64))
