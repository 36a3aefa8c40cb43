"""`step-groups`: dimension, groups and scales chosen anew at each call, as DGQ's released code does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Inputs, reads
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.simulate import patches_of
from ...ir.plans import CallQuantizer, Dimension, Operand, Plan, Ranges, Role, SteppedOperand
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ..base import Decisions, Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import dgqc
from ..manager.registry import register_pass
from ..simulation.device_interpreter import DeviceInterpreter
from .kmeans_groups import cluster
from .outlier_dims import spread

SMALLEST_STEP = 1e-8

Ranges4 = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
"""Of an operand at one call: channel low, channel high, pixel low, pixel high."""


@register_pass
@dataclass(frozen=True)
class StepGroups(Pass):
    """DGQ's own quantizer, for the simulated level: nothing ties one call's grouping to the next one's.

    At each call: the dimension with the larger spread (eq. 4-5); K-means on its (min, max); a group's range
    is its members' smallest minimum to largest maximum; s = range / (2^bits - 1), z = round(-min / s),
    neither clamped nor tied to other groups. A convolution's dimensions are those of its im2col matrix, zeros
    of the border included: rows (channel, tap) and columns (output pixels). A tie goes to the first axis.

    groups: K.

    Our deviation: ranges are those of the float network; the code observes after fake-quantized layers, and
    takes running averages of them for one group. On the same ranges both agree in every bit for more groups.
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

    def decides(self) -> Decisions:
        return {"groups": self.groups}

    def run(self, program: Program) -> Program:
        calibration, calls = program.calibration, len(program.schedule)
        if calibration is None:
            raise DgqcError("step-groups needs calibration samples; give some with --calib.")
        found: dict[str, list[CallQuantizer]] = {}
        sizes: dict[str, tuple[int, int]] = {}
        steps = shared_out(partial(_seen, program), reads(calibration, range(calls)), call_bytes(program))
        for seen_at_step in track(steps, "grouping each call", calls):
            for name, seen in seen_at_step.items():
                plan = program.plans[name]
                assert isinstance(plan, Operand)
                found.setdefault(name, []).append(quantizer(plan, seen, self.groups))
                sizes[name] = (len(seen[0]), len(seen[2]))
        plans: dict[str, Plan] = dict(program.plans)
        for name, calls_of in found.items():
            plan = plans[name]
            assert isinstance(plan, Operand)
            plans[name] = SteppedOperand(plan, tuple(calls_of), *sizes[name])
        chosen = Counter(str(one.dimension) for calls_of in found.values() for one in calls_of)
        return replace(program, plans=plans).with_report(self.name, {"groups": self.groups, **chosen})


def quantizer(operand: Operand, seen: Ranges4, groups: int) -> CallQuantizer:
    """What DGQ makes of an operand's ranges at one call, in single precision as in the released code.

    seen: float32. groups: K; fewer where there are fewer distinct ranges.
    """
    channel_low, channel_high, pixel_low, pixel_high = seen
    channel = Ranges(channel_low[None], channel_high[None])
    pixel = Ranges(pixel_low[None], pixel_high[None])
    wide, narrow = spread(channel), spread(pixel)
    # Channels are the first axis of an im2col matrix, and the last of everything else.
    by_channel = wide >= narrow if operand.role is Role.CONVOLUTION else wide > narrow
    ranges = channel if by_channel else pixel
    group = cluster(ranges, groups, torch.float32)
    start = torch.zeros(int(group.max()) + 1)
    low = start.scatter_reduce(0, group, ranges.low[0], "amin", include_self=False)
    high = start.scatter_reduce(0, group, ranges.high[0], "amax", include_self=False)
    scale = ((high - low) / (2**operand.bits - 1)).clamp(min=SMALLEST_STEP)
    zero = torch.round(-low / scale)
    dimension = Dimension.CHANNEL if by_channel else Dimension.PIXEL
    return CallQuantizer(dimension, group, scale[group].double(), zero[group].double())


def ranges_of(x: torch.Tensor, role: Role) -> Ranges4:
    """Ranges of an activation along both of its dimensions.

    x: (..., pixels, channels), but (..., channels, pixels) on the right of a product, and a convolution's
    im2col matrix (B, channels, pixels). Without pixels, (B, C), it has one.
    """
    last = x.dim() - 1
    channel, pixel = (last, last - 1) if role in (Role.LINEAR, Role.LEFT) else (last - 1, last)
    found = []
    for axis in (channel, pixel):
        one = x.dim() == 2 and axis == pixel
        others = [d for d in range(x.dim()) if d != axis or one]
        found += [x.amin(dim=others).reshape(-1), x.amax(dim=others).reshape(-1)]
    return found[0], found[1], found[2], found[3]


def merged(one: Ranges4, other: Ranges4) -> Ranges4:
    """Ranges of two batches together."""
    return (
        torch.minimum(one[0], other[0]),
        torch.maximum(one[1], other[1]),
        torch.minimum(one[2], other[2]),
        torch.maximum(one[3], other[3]),
    )


def _seen(program: Program, read: tuple[int, Iterator[Inputs]]) -> Mapping[str, Ranges4]:
    """The ranges of every operand at a step."""
    observer = _Observer(program)
    for inputs in read[1]:
        for batch in arguments(program, inputs):
            observer.observe(batch, read[0])
    return {
        name: (low.to(CPU), high.to(CPU), other_low.to(CPU), other_high.to(CPU))
        for name, (low, high, other_low, other_high) in observer.seen.items()
    }


class _Observer(DeviceInterpreter):
    """Runs the graph and keeps ranges along both axes of every operand."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        self.plans = program.plans
        self.seen: dict[str, Ranges4] = {}

    def observe(self, inputs: tuple[torch.Tensor, ...], step: int) -> None:
        with torch.no_grad():
            self.run(*inputs, torch.tensor(step))

    def run_node(self, n: fx.Node) -> Any:
        if n.target is not dgqc.site.default:
            return super().run_node(n)
        (x, name), _ = self.fetch_args_kwargs_from_env(n)
        plan = self.plans[str(name)]
        if isinstance(plan, Operand):
            new = ranges_of(_matrix(x, plan, n), plan.role)
            old = self.seen.get(str(name), new)
            self.seen[str(name)] = merged(old, new)
        return x


def _matrix(x: torch.Tensor, plan: Operand, site: fx.Node) -> torch.Tensor:
    if plan.role is not Role.CONVOLUTION:
        return x
    user: Any = next(iter(site.users))
    weight = torch.empty(tuple(user.args[1].meta["val"].shape), device="meta")
    return patches_of(x, weight, user.args[3], user.args[4])
