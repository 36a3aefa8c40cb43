"""`step-groups`: dimension, groups and scales chosen anew at each call, as DGQ's released code does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from threadpoolctl import threadpool_limits
from torch import fx

from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.ops.simulate import patches_of
from ..ir.plans import Operand, Plan, Ranges, Role, SteppedOperand
from ..ir.program import Program
from ..ir.progress import track
from .base import Pass
from .graph import arguments, dgqc
from .kmeans_groups import cluster
from .outlier_dims import spread
from .registry import register_pass

SMALLEST_STEP = 1e-8

Seen = dict[str, tuple[torch.Tensor, ...]]
"""By site: channel low, channel high, pixel low, pixel high."""


@register_pass
@dataclass(frozen=True)
class StepGroups(Pass):
    """DGQ's own quantizer, for the simulated level: nothing ties one call's grouping to the next one's.

    At each call: the dimension with the larger spread (eq. 4-5); K-means on its (min, max); a group's range
    is its members' smallest minimum to largest maximum; s = range / (2^bits - 1), z = round(-min / s),
    neither clamped nor tied to other groups. A convolution's dimensions are those of its im2col matrix, zeros
    of the border included: rows (channel, tap) and columns (output pixels). A tie goes to the first axis.

    groups: K.

    Our deviation: ranges are those of the float network; the code observes behind fake-quantized layers.
    """

    groups: int = 8

    name: ClassVar[str] = "step-groups"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"tables"})

    def __post_init__(self) -> None:
        if not 1 <= self.groups <= 256:
            raise DgqcError(f"step-groups takes 1 to 256 groups, not {self.groups}.")

    def run(self, program: Program) -> Program:
        calibration, calls = program.calibration, len(program.schedule)
        if calibration is None:
            raise DgqcError("step-groups needs calibration samples; give some with --calib.")
        tables: dict[str, list[tuple[torch.Tensor, ...]]] = {}
        chosen: Counter[str] = Counter()
        with threadpool_limits(limits=1):
            for ordinal in track(range(calls), "grouping each call", calls):
                observer = _Observer(program)
                for inputs in calibration.read(ordinal):
                    for batch in arguments(program, inputs):
                        observer.observe(batch, ordinal)
                for name, seen in observer.seen.items():
                    plan = program.plans[name]
                    assert isinstance(plan, Operand)
                    by_channel, found = tabulate(plan, seen, self.groups)
                    tables.setdefault(name, []).append(found)
                    chosen["channel" if by_channel else "pixel"] += 1
        plans: dict[str, Plan] = dict(program.plans)
        for name, rows in tables.items():
            plan = plans[name]
            assert isinstance(plan, Operand)
            plans[name] = SteppedOperand(plan, *(torch.stack(part) for part in zip(*rows, strict=True)))
        return replace(program, plans=plans).with_report(self.name, {"groups": self.groups, **chosen})


def tabulate(
    operand: Operand, seen: tuple[torch.Tensor, ...], groups: int
) -> tuple[bool, tuple[torch.Tensor, ...]]:
    """Whether channels are grouped at a call, and channel scale, channel zero, pixel scale, pixel zero.

    seen: channel low, channel high, pixel low, pixel high.
    """
    channel_low, channel_high, pixel_low, pixel_high = seen
    channel = Ranges(channel_low[None], channel_high[None])
    pixel = Ranges(pixel_low[None], pixel_high[None])
    wide, narrow = spread(channel), spread(pixel)
    # Channels are the first axis of an im2col matrix, and the last of everything else.
    by_channel = wide >= narrow if operand.role is Role.CONVOLUTION else wide > narrow
    scale, zero = _quantizer(channel if by_channel else pixel, groups, operand.bits)
    other = len(pixel_low) if by_channel else len(channel_low)
    still = (torch.ones(other, dtype=torch.float64), torch.zeros(other, dtype=torch.float64))
    return by_channel, (scale, zero, *still) if by_channel else (*still, scale, zero)


def _quantizer(ranges: Ranges, groups: int, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and zero of each index, float64 (n,)."""
    group = cluster(ranges, groups)
    start = torch.zeros(int(group.max()) + 1, dtype=torch.float64)
    low = start.scatter_reduce(0, group, ranges.low[0].double(), "amin", include_self=False)
    high = start.scatter_reduce(0, group, ranges.high[0].double(), "amax", include_self=False)
    scale = ((high - low) / (2**bits - 1)).clamp(min=SMALLEST_STEP)
    return scale[group], torch.round(-low / scale)[group]


class _Observer(fx.Interpreter):
    """Runs the graph and keeps ranges along both axes of every operand."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        self.plans = program.plans
        self.seen: Seen = {}

    def observe(self, inputs: tuple[torch.Tensor, ...], ordinal: int) -> None:
        with torch.no_grad():
            self.run(*inputs, torch.tensor(ordinal))

    def run_node(self, n: fx.Node) -> Any:
        if n.target is not dgqc.site.default:
            return super().run_node(n)
        (x, name), _ = self.fetch_args_kwargs_from_env(n)
        plan = self.plans[str(name)]
        if isinstance(plan, Operand):
            new = self._ranges(x, plan, n)
            old = self.seen.get(str(name), new)
            merge = (torch.minimum, torch.maximum, torch.minimum, torch.maximum)
            self.seen[str(name)] = tuple(f(a, b) for f, a, b in zip(merge, old, new, strict=True))
        return x

    def _ranges(self, x: torch.Tensor, plan: Operand, site: fx.Node) -> tuple[torch.Tensor, ...]:
        channel, pixel = (x.dim() - 2, x.dim() - 1) if plan.role is Role.RIGHT else (x.dim() - 1, x.dim() - 2)
        if plan.role is Role.CONVOLUTION:
            user: Any = next(iter(site.users))
            weight = torch.empty(tuple(user.args[1].meta["val"].shape), device="meta")
            x, channel, pixel = patches_of(x, weight, user.args[3], user.args[4]), 1, 2
        found = []
        for axis in (channel, pixel):
            # A (B, C) input has its samples where pixels would be: one pixel.
            one = x.dim() == 2 and axis == pixel
            others = [d for d in range(x.dim()) if d != axis or one]
            found += [x.amin(dim=others).reshape(-1), x.amax(dim=others).reshape(-1)]
        return tuple(found)
