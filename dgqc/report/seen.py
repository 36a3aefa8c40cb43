"""What calibration saw of each operand, in small numbers that a report keeps: real ranges, call by call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..ir.calibration import Calibration
from ..ir.level import Level
from ..ir.plans import GroupedOperand, ObservedOperand, QuantizedOperand, Ranges
from ..ir.program import Program
from ..passes.base import Pass
from .widths import sites_of

CALLS = 32
"""Most calls that are kept; of longer schedules, as many evenly spaced ones."""
BINS = 96
"""Neighbouring channels share a bin where there are more: its largest value stays."""
DIGITS = 3


@dataclass(frozen=True)
class SeenOperand:
    """Of one site.

    channels, pixels: the largest magnitude at any call, of each index or of each bin of neighbours.
    group, low, high: of each group the smallest and largest value by call, (T, G), as its members had them
    when they were put together; None before that.
    """

    channels: torch.Tensor
    pixels: torch.Tensor
    group: torch.Tensor | None = None
    low: torch.Tensor | None = None
    high: torch.Tensor | None = None


@dataclass
class Seen:
    """An instrument that keeps what plans know for a while and lose on the way.

    operands: by site. modules: of the sites, in the model. calibration: with what the float network answered.
    """

    operands: dict[str, SeenOperand] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None

    def before(self, item: Pass, program: Program) -> None:
        """Where the pass leaves the planned level: which sites there are, and which groups were kept."""
        if program.level is not Level.PLANNED or item.leaves is Level.PLANNED:
            return
        self.modules, self.calibration = sites_of(program), program.calibration
        for name, plan in program.plans.items():
            seen = self.operands.get(name)
            if seen is None or not isinstance(plan, QuantizedOperand):
                continue
            if seen.group is None or not torch.equal(seen.group, plan.group):
                # Somebody grouped them anew: ranges of groups that are no more would mislead.
                self.operands[name] = SeenOperand(seen.channels, seen.pixels)
            else:
                self.dimensions[name] = plan.dimension.value

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Looks at what was observed, and at groups when they are made."""
        for name, plan in program.plans.items():
            if isinstance(plan, ObservedOperand):
                self.operands[name] = SeenOperand(_peaks(plan.channel), _peaks(plan.pixel))
            elif isinstance(plan, GroupedOperand) and name in self.operands:
                before = self.operands[name]
                if before.group is None:
                    self.operands[name] = _with_groups(before, plan)

    def to_json(self) -> dict[str, Any]:
        """For the report: `calls`, and for each site its module, peaks, and groups with their ranges."""
        found = {name: one for name, one in self.operands.items() if name in self.modules}
        calls = max((len(one.low) for one in found.values() if one.low is not None), default=0)
        steps = _evenly(calls)
        sites = {name: self._site(name, one, steps) for name, one in found.items()}
        return {"calls": steps, "sites": sites}

    def _site(self, name: str, one: SeenOperand, steps: Sequence[int]) -> dict[str, Any]:
        about: dict[str, Any] = {
            "module": self.modules[name],
            "channels": _short(one.channels),
            "pixels": _short(one.pixels),
        }
        if one.group is None or one.low is None or one.high is None:
            return about
        return about | {
            "dimension": self.dimensions.get(name, "channel"),
            "members": torch.bincount(one.group).tolist(),
            "low": [_short(row) for row in one.low[list(steps)].T],
            "high": [_short(row) for row in one.high[list(steps)].T],
        }


def _with_groups(seen: SeenOperand, plan: GroupedOperand) -> SeenOperand:
    calls, groups = plan.ranges.low.shape[0], int(plan.group.max()) + 1
    index, empty = plan.group.expand(calls, -1), torch.zeros(calls, groups)
    low = empty.scatter_reduce(1, index, plan.ranges.low.float(), "amin", include_self=False)
    high = empty.scatter_reduce(1, index, plan.ranges.high.float(), "amax", include_self=False)
    return SeenOperand(seen.channels, seen.pixels, plan.group, low, high)


def _peaks(ranges: Ranges) -> torch.Tensor:
    """Float32 (n,), or (BINS,) where there are more."""
    largest = torch.maximum(ranges.low.abs(), ranges.high.abs()).amax(dim=0)
    if len(largest) <= BINS:
        return largest
    return torch.stack([part.amax() for part in torch.tensor_split(largest, BINS)])


def _evenly(count: int) -> list[int]:
    if count <= CALLS:
        return list(range(count))
    return [round(place * (count - 1) / (CALLS - 1)) for place in range(CALLS)]


def _short(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
