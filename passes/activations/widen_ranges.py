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

GUMBEL = math.sqrt(6) / math.pi
"""Length of the exponential tail behind a standard deviation of maxima."""
QUIET = 0.12
"""Tail of a group that was quiet so far, as a share of the way to its layer's extreme."""
PRIOR, PRIOR_SAMPLES = 0.15, 2.0
"""Tail that an operand is expected to have before any sample was seen, as a share of its extreme, and how
many samples that expectation is worth."""
RAREST, MOST = 10.0, 30.0
"""From so many samples on, excesses are rare; how common they are at most."""
LENT = 2.0
"""Up to so many samples, calls lend each other their layers' extremes; of more, a part."""
MOST_DRAWN = 3.0
"""Of its own width, how far a quiet group's end moves at most: a group that is a thousand times narrower than
its layer is so by the model's making, not by chance."""
MOST_LENT = 1.5
"""Of its own extreme, what a call believes of others at most: ranges of some models fall a thousandfold."""


@register_pass
@dataclass(frozen=True)
class WidenRanges(Pass):
    """Widens each group's range by as much as is gained on samples that calibration did not see.

    Widening a range of width W by d rounds its n values coarser, n (W + d)^2 / (12 L^2), L = 2^bits - 1, and
    clips less of what comes beyond, 2 r b^2 exp(-d / b) for a tail of length b. Their sum is least at
    d = b ln(12 r L^2 b / (n W)), or at 0. How common excesses are, r, falls with the cube of the samples.
    Two tails are looked at, and the longer reach counts: the operand's own, from how much its extremes differ
    from sample to sample, and that of a group which was quiet so far, as channels are for a word that no
    prompt held. The second ends where the layer does, and at three times the group's width.

    So many samples, many values and few bits leave ranges as they were seen; few samples draw narrow groups
    towards their layer. Ours; constants were found on two models (`benchmarks/unseen.py`). Operands whose
    samples nobody looked at one by one (`static-ranges`) stay as they are.
    """

    name: ClassVar[str] = "widen-ranges"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"groups"})

    def run(self, program: Program) -> Program:
        plans, factors = dict(program.plans), [1.0]
        for node in program.graph.graph.nodes:
            plan = plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
            if isinstance(plan, GroupedOperand) and plan.variation is not None:
                wider = widened(plan, plan.variation, math.prod(shape(node)))
                plans[str(node.args[1])] = wider
                factors.append(_width(wider) / max(_width(plan), 1e-30))
        report = {"operands": len(factors) - 1, "widest factor": round(max(factors), 3)}
        return replace(program, plans=plans).with_report(self.name, report)


def widened(plan: GroupedOperand, variation: Variation, values: int) -> GroupedOperand:
    """The plan with wider ranges. values: how many the operand has, of one sample.

    Raises DgqcError where a call was seen by no sample.
    """
    if int(variation.samples.min()) < 1:
        raise DgqcError("widen-ranges needs at least one calibration sample for each call.")
    groups = int(plan.group.max()) + 1
    low, high = group_ranges(plan, groups)
    if plan.operand.padded:
        low, high = low.clamp(max=0), high.clamp(min=0)
    share = torch.bincount(plan.group, minlength=groups).double() / len(plan.group)
    width = (high - low).clamp(min=1e-12)
    layer = (high.amax(dim=1) - low.amin(dim=1)).clamp(min=1e-12)
    samples = variation.samples.double()[:, None]
    common = (RAREST / samples).pow(3).clamp(max=MOST)
    # What rounding costs beside clipping: (T, G).
    price = common * 12 * (2**plan.operand.bits - 1) ** 2 / (values * share * width)

    def reach(tail: torch.Tensor) -> torch.Tensor:
        return tail * torch.log((price * tail).clamp(min=1))

    def extended(extreme: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
        """How far the ends of ranges move outwards. extreme: (T, G), upwards. deviation: (T,)."""
        end = extreme.amax(dim=1, keepdim=True)
        own = reach(GUMBEL * width * _relative(deviation / layer, end[:, 0].abs() / layer, samples[:, 0]))
        others = torch.minimum(end.amax(dim=0, keepdim=True), end.abs() * MOST_LENT)
        lent = end + (LENT / samples).clamp(max=1) * (others - end).clamp(min=0)
        gap = torch.minimum(lent - extreme, MOST_DRAWN * width)
        quiet = torch.minimum(reach(QUIET * gap), gap)
        return torch.maximum(own, quiet)

    low = low - extended(-low, variation.low.double())
    high = high + extended(high, variation.high.double())
    dtype = plan.ranges.low.dtype
    return replace(plan, ranges=Ranges(low[:, plan.group].to(dtype), high[:, plan.group].to(dtype)))


def _relative(deviation: torch.Tensor, expected: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
    """One deviation of all calls, as a share of the layer's width, between what was seen and expected.

    All float64 (T,). Returns a scalar.
    """
    seen = samples - 1
    whole = seen * deviation.square() + PRIOR_SAMPLES * (PRIOR * expected).square()
    return (whole / (seen + PRIOR_SAMPLES)).mean().sqrt()


def _width(plan: GroupedOperand) -> float:
    return float((plan.ranges.high - plan.ranges.low).double().sum())
