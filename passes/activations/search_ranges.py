"""`search-ranges`: ranges shrink where that makes the error of quantizing smaller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Inputs, reads, samples_in
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.quantize import along
from ...ir.ops.simulate import patches_of
from ...ir.plans import Dimension, GroupedOperand, Ranges, Role
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import dgqc
from ..manager.registry import register_pass
from ..simulation.device_interpreter import DeviceInterpreter
from .timestep_tables import group_ranges

BINS = 32
"""To a step of the widest candidate; a narrower one's steps have fewer."""


@register_pass
@dataclass(frozen=True)
class SearchRanges(Pass):
    """Multiplies each group's range, at each call, by the factor with the least |x - x^|^power.

    Candidates are 1, 1 - spacing, 1 - 2 spacing, ... Values are counted in bins of 1/32 of a step first, as
    PyTorch's HistogramObserver does: then a candidate costs as much for a million values as for a few. With
    one range for all calls (`static-ranges`), errors of all calls are summed and the range stays one.

    candidates, spacing, power: the grid and norm; Q-Diffusion and EDA-DM take 80 to 100 steps of 0.01, 2.4.
    samples: of each call, at most.
    """

    candidates: int = 16
    spacing: float = 0.05
    power: float = 2.4
    samples: int = 4

    name: ClassVar[str] = "search-ranges"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"groups"})
    provides: ClassVar[frozenset[str]] = frozenset({"searched-ranges"})

    def __post_init__(self) -> None:
        if self.candidates < 1 or not 0 < self.spacing * max(self.candidates - 1, 1) < 1:
            raise DgqcError("search-ranges takes 1 or more candidates that all stay above 0.")
        if self.power <= 0 or self.samples < 1:
            raise DgqcError("search-ranges takes a power above 0 and at least 1 sample.")

    def run(self, program: Program) -> Program:
        calibration, calls = program.calibration, len(program.schedule)
        if calibration is None:
            raise DgqcError("search-ranges needs calibration samples; give some with --calib.")
        factors = 1 - self.spacing * torch.arange(self.candidates, dtype=torch.float64)
        grouped = {n: p for n, p in program.plans.items() if isinstance(p, GroupedOperand)}
        ranges = {name: group_ranges(plan, int(plan.group.max()) + 1) for name, plan in grouped.items()}

        def searched(read: tuple[int, Iterator[Inputs]]) -> Mapping[str, torch.Tensor]:
            step, left = read[0], self.samples
            searcher = _Searcher(program, {n: (low[step], high[step]) for n, (low, high) in ranges.items()})
            for inputs in read[1]:
                for batch in arguments(program, {name: x[:left] for name, x in inputs.items()}):
                    searcher.search(batch, step)
                left -= samples_in(inputs)
                if left <= 0:
                    break
            return searcher.errors(factors, self.power)

        found = shared_out(searched, reads(calibration, range(calls)), call_bytes(program))
        errors = list(track(found, "searching ranges", calls))
        plans = dict(program.plans)
        for name, plan in grouped.items():
            none = torch.zeros(ranges[name][0].shape[1], self.candidates, dtype=torch.float64)
            plans[name] = shrunk(plan, torch.stack([one.get(name, none) for one in errors]), factors)
        return replace(program, plans=plans).with_report(self.name, {"operands": len(grouped)})


def shrunk(plan: GroupedOperand, errors: torch.Tensor, factors: torch.Tensor) -> GroupedOperand:
    """The plan with each group's range multiplied by its best factor.

    errors: float64 (T, G, candidates). A tie goes to the wider range.
    """
    static = bool(
        (plan.ranges.low == plan.ranges.low[0]).all() and (plan.ranges.high == plan.ranges.high[0]).all()
    )
    summed = errors.sum(dim=0, keepdim=True).expand_as(errors) if static else errors
    factor = factors[summed.argmin(dim=2)][:, plan.group].to(plan.ranges.low.dtype)
    ranges = Ranges(plan.ranges.low * factor, plan.ranges.high * factor)
    return replace(plan, ranges=ranges)


class _Searcher(DeviceInterpreter):
    """Runs the graph at one step and counts each site's values.

    ranges: smallest and largest value of each group at the step, (G,), by site.
    """

    def __init__(self, program: Program, ranges: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        super().__init__(program.graph)
        self.ranges = ranges
        self.plans = {n: p for n, p in program.plans.items() if isinstance(p, GroupedOperand)}
        self.counts: dict[str, torch.Tensor] = {}

    def search(self, inputs: tuple[torch.Tensor, ...], step: int) -> None:
        with torch.no_grad():
            self.run(*inputs, torch.tensor(step))

    def errors(self, factors: torch.Tensor, power: float) -> Mapping[str, torch.Tensor]:
        """What was counted as errors of each candidate, float64 (G, candidates), by site."""
        return {
            name: expected(counted, *self.ranges[name], self.plans[name].operand.bits, factors, power).to(CPU)
            for name, counted in self.counts.items()
        }

    def run_node(self, n: fx.Node) -> Any:
        if n.target is not dgqc.site.default:
            return super().run_node(n)
        (x, name), _ = self.fetch_args_kwargs_from_env(n)
        if str(name) in self.plans:
            self._count(str(name), x, n)
        return x

    def _count(self, name: str, x: torch.Tensor, site: fx.Node) -> None:
        plan = self.plans[name]
        x, axis = _arranged(plan, x, site)
        new = counts(x, axis, plan.group, *self.ranges[name], BINS * 2**plan.operand.bits)
        self.counts[name] = self.counts[name] + new if name in self.counts else new


def counts(
    x: torch.Tensor, axis: int, group: torch.Tensor, low: torch.Tensor, high: torch.Tensor, bins: int
) -> torch.Tensor:
    """How many of a group's values lie in each bin of its range, int64 (G, bins).

    x: floats with n indices along axis; any number where n is 1. group: (n,). low, high: (G,). They are
    counted where x is.
    """
    group, low, high = (one.to(x.device) for one in (group, low, high))
    finer = bins / (high - low).clamp(min=1e-30)

    def spread(of_group: torch.Tensor) -> torch.Tensor:
        return along(of_group[group], x.dim(), axis)

    place = ((x - spread(low).to(x.dtype)) * spread(finer).to(x.dtype)).clamp_(0, bins - 1).to(torch.int64)
    place += spread(torch.arange(len(low), device=x.device) * bins)
    return torch.bincount(place.reshape(-1), minlength=len(low) * bins).reshape(len(low), bins)


def expected(
    counted: torch.Tensor,
    low: torch.Tensor,
    high: torch.Tensor,
    bits: int,
    factors: torch.Tensor,
    power: float,
) -> torch.Tensor:
    """The summed error of each candidate, float64 (G, candidates), as if values were their bins' middles.

    counted: (G, bins). low, high: (G,).
    """
    bins = counted.shape[1]
    low, high = low.to(counted.device), high.to(counted.device)
    middle = (torch.arange(bins, dtype=torch.float64, device=counted.device) + 0.5) / bins
    x = low[:, None] + (high - low)[:, None] * middle
    found = []
    for factor in factors:
        scale = ((high - low) * factor / (2**bits - 1)).clamp(min=1e-12)[:, None]
        zero = torch.round(-low[:, None] * factor / scale)
        error = scale * ((torch.round(x / scale) + zero).clamp(0, 2**bits - 1) - zero) - x
        found.append((error.abs().float().pow(power).double() * counted).sum(dim=1))
    return torch.stack(found, dim=1)


def _arranged(plan: GroupedOperand, x: torch.Tensor, site: fx.Node) -> tuple[torch.Tensor, int]:
    """What is quantized, and the axis of its groups: a convolution's patches where pixels are grouped."""
    if plan.operand.role is Role.CONVOLUTION:
        if plan.dimension is Dimension.CHANNEL:
            return x, 1
        user: Any = next(iter(site.users))
        weight = torch.empty(tuple(user.args[1].meta["val"].shape), device="meta")
        return patches_of(x, weight, user.args[3], user.args[4]), 2
    last = (plan.dimension is Dimension.CHANNEL) != (plan.operand.role is Role.RIGHT)
    return x, x.dim() - 1 if last else x.dim() - 2
