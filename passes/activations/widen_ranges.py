"""`widen-ranges`: room for what samples will bring that calibration did not see."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import GroupedOperand, Ranges, Variation
from ...ir.program import Program
from ..base import Pass
from ..graph.edit import dgqc, shape
from ..manager.registry import register_pass
from .timestep_tables import group_ranges

CLIPPED = 4.0
"""Values of a sample that lie beyond an index's range, where any does."""
SHARED = 8.0
"""Indices of a group that the mean of all of an operand's counts as much as."""
OWN = 0.5
"""Of the best room for an exponential tail: its length is ruled by the few indices that differ most."""
EXPECTED = 0.25
"""Tail of an operand of which a single sample was seen, as a share of a group's width."""
QUIET, FEW = 0.12, 4.0
"""Tail of a group that was quiet so far, as a share of the way to its layer's extreme; beyond so few samples
less, by the square root."""
RAREST, MOST = 30.0, 30.0
"""From so many samples on, excesses of quiet groups are rare; how common they are at most."""
LENT = 2.0
"""Up to so many samples, calls lend each other their layers' extremes; of more, a part."""
MOST_DRAWN = 3.0
"""Of its own width, how far a quiet group's end moves at most: a group that is a thousand times narrower than
its layer is so by the model's making, not by chance."""
MOST_LENT = 1.5
"""Of its own extreme, what a call believes of others at most: ranges of some models fall a thousandfold."""

INVENTED, INVENTED_DRAWN = 0.25, 0.25
"""Room on each side where contexts were invented: of a group's width, and of its way to the layer's extreme,
which counts up to another width. Two numbers of six pairs tried on the demo model."""


@register_pass
@dataclass(frozen=True)
class WidenRanges(Pass):
    """Widens each group's range by as much as is gained on samples that calibration did not see.

    Widening a range of width W by d rounds its N values coarser, N (W + d)^2 / (12 L^2), L = 2^bits - 1, and
    clips less of what comes beyond, 2 r b^2 exp(-d / b) for r excesses and a tail of length b. Their sum is
    least at d = b ln(12 r L^2 b / (N W)), or at 0.

    The tail is found by leaving one sample out: of values with an exponential tail, the largest lies as far
    beyond the second largest as the next record will lie beyond the largest. So b^2 is half the mean square
    of how far each index's furthest sample went beyond all others, over a group's indices and all calls, and
    of n + 1 samples each is the furthest equally often, so r is the sum of exp(-(gap to the group's end) / b)
    over the indices, by n + 1. Samples are pictures: both halves of a guided one are one. A mean square is
    ruled by the few indices that differ most, so half of d is taken, which is quieter on every model tried.

    That says nothing of groups which were quiet in all samples, as channels are for a word that no prompt
    held. They are drawn towards their layer's extreme, by at most three times their width, where samples are
    few; the longer reach counts. So many samples, many values and few bits leave ranges as they were seen.

    Contexts that were invented for a model that came without its text encoder are no chance sample of what it
    will be given, so each group gets room beside: a quarter of its width, and a quarter of the way to its
    layer's extreme.

    Ours; constants were found with `benchmarks/unseen.py` and `benchmarks/sample_sources.py`. Operands
    whose samples nobody looked at one by one (`static-ranges`) stay as they are.
    """

    name: ClassVar[str] = "widen-ranges"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"groups"})

    def run(self, program: Program) -> Program:
        plans, factors = dict(program.plans), [1.0]
        invented = program.calibration is not None and program.calibration.synthetic
        for node in program.graph.graph.nodes:
            plan = plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
            if isinstance(plan, GroupedOperand) and plan.variation is not None:
                wider = widened(plan, plan.variation, math.prod(shape(node)), invented)
                plans[str(node.args[1])] = wider
                factors.append(_width(wider) / max(_width(plan), 1e-30))
        report = {"operands": len(factors) - 1, "widest factor": round(max(factors), 3)}
        return replace(program, plans=plans).with_report(self.name, report)


def widened(
    plan: GroupedOperand, variation: Variation, values: int, invented: bool = False
) -> GroupedOperand:
    """The plan with wider ranges. values: how many the operand has, of one sample. invented: by contexts.

    Raises DgqcError where a call was seen by no sample.
    """
    if int(variation.samples.min()) < 1:
        raise DgqcError("widen-ranges needs at least one calibration sample for each call.")
    ends = _Ends(plan, variation, values)
    low, high = plan.ranges.low.double(), plan.ranges.high.double()
    if plan.operand.padded:
        low, high = low.clamp(max=0), high.clamp(min=0)
    low = -ends.extended(-low, -variation.low.double(), invented)
    high = ends.extended(high, variation.high.double(), invented)
    dtype = plan.ranges.low.dtype
    return replace(plan, ranges=Ranges(low[:, plan.group].to(dtype), high[:, plan.group].to(dtype)))


class _Ends:
    """The ends of a plan's groups, both treated as upper ones."""

    def __init__(self, plan: GroupedOperand, variation: Variation, values: int) -> None:
        self.group, self.groups = plan.group, int(plan.group.max()) + 1
        self.size = torch.bincount(plan.group, minlength=self.groups).double()
        low, high = group_ranges(plan, self.groups)
        if plan.operand.padded:
            low, high = low.clamp(max=0), high.clamp(min=0)
        self.width = (high - low).clamp(min=1e-12)
        self.samples = variation.samples.double()[:, None]
        # 12 L^2 / (N W) of each group, (T, G).
        share = values * self.size / len(plan.group)
        self.price = 12 * (2**plan.operand.bits - 1) ** 2 / (share * self.width)

    def extended(self, furthest: torch.Tensor, second: torch.Tensor, invented: bool) -> torch.Tensor:
        """Where ranges end now, (T, G). furthest, second: of the samples' extremes, upwards, (T, n)."""
        index = self.group.expand(len(furthest), -1)
        start = torch.zeros_like(self.width)
        end = start.scatter_reduce(1, index, furthest, "amax", include_self=False)
        tail = self._tail(furthest, second)
        near = torch.exp((furthest - end[:, self.group]) / tail[:, self.group])
        common = CLIPPED / (self.samples + 1) * start.index_add(1, self.group, near)
        own = torch.where(self.samples > 1, OWN, 1.0) * self._reach(tail, common)
        reached = end + torch.maximum(own, self._to_layer(end))
        return self._with_room(reached) if invented else reached

    def _reach(self, tail: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
        return tail * torch.log((common * self.price * tail).clamp(min=1))

    def _tail(self, furthest: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(T, G), in proportion to widths; a group of few indices is drawn to the operand's mean."""
        told = self.samples[:, 0] > 1
        if not bool(told.any()):
            return EXPECTED * self.width
        beyond = (furthest - second).clamp(min=0) / self.width[:, self.group]
        squares = beyond[told].square().mean(dim=0)
        own = torch.zeros(self.groups, dtype=torch.float64).index_add(0, self.group, squares)
        mean = (own + SHARED * squares.mean()) / (self.size + SHARED)
        return (mean / 2).sqrt().clamp(min=1e-6) * self.width

    def _with_room(self, end: torch.Tensor) -> torch.Tensor:
        gap = torch.minimum(end.amax(dim=1, keepdim=True) - end, self.width / INVENTED_DRAWN)
        return end + INVENTED * self.width + INVENTED_DRAWN * gap

    def _to_layer(self, end: torch.Tensor) -> torch.Tensor:
        """How far groups that were quiet so far reach, (T, G)."""
        layer = end.amax(dim=1, keepdim=True)
        others = torch.minimum(layer.amax(dim=0, keepdim=True), layer.abs() * MOST_LENT)
        lent = layer + (LENT / self.samples).clamp(max=1) * (others - layer).clamp(min=0)
        gap = torch.minimum(lent - end, MOST_DRAWN * self.width)
        tail = QUIET * (FEW / self.samples).clamp(max=1).sqrt() * gap
        common = (RAREST / self.samples).pow(3).clamp(max=MOST)
        return torch.minimum(self._reach(tail, common), gap)


def _width(plan: GroupedOperand) -> float:
    return float((plan.ranges.high - plan.ranges.low).double().sum())
