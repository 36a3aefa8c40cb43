"""`observe-ranges`: smallest and largest values at every site, per call, streamed over the samples."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx
from torch.nn.functional import max_pool2d, pad

from ...ir.calibration import Inputs, reads
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import channel_axis, multiply_adds
from ...ir.parallel import side_by_side
from ...ir.plans import (
    Activation16,
    ObservedActivation16,
    ObservedOperand,
    ObservedProbabilities,
    Operand,
    Plan,
    Probabilities,
    Ranges,
    Role,
    Variation,
)
from ...ir.program import Program
from ...ir.progress import track
from ..base import Pass
from ..graph.edit import arguments, call_bytes, dgqc, module_path
from ..manager.registry import register_pass
from ..simulation.block_interpreter import BlockInterpreter
from .finite_samples import check_inputs, check_values
from .observation import Observation, Statistics, growth, merged

log = logging.getLogger("dgqc")


@register_pass
@dataclass(frozen=True)
class ObserveRanges(Pass):
    """Runs the calibration samples of each call through the float graph and keeps minima and maxima only.

    Batches are combined by the smallest minimum and the largest maximum, as in DGQ's released code. Our
    deviation: ranges are those of the float network; the code observes after layers that are already
    fake-quantized. No activation is stored.

    How far ranges still grow is measured: by what share of an operand's width the second half of samples
    extended it, on the mean of all operands and calls. Where more samples can be drawn, they are, until that
    is at most `growth`, each call has `most` samples, or another draw would make more than `work`
    multiply-adds of it all: what comes out must not depend on how fast a machine is.
    """

    growth: float = 0.02
    most: int = 64
    work: float = 2e13

    name: ClassVar[str] = "observe-ranges"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})

    def run(self, program: Program) -> Program:
        begun = time.monotonic()
        seen = latest = observe(program)
        calibration = program.calibration
        while calibration is not None and calibration.more is not None and self._wants(program, seen, latest):
            log.info(
                "Ranges still grow by %.1f %%: %d more samples of each call follow, in about %.1f minutes.",
                100 * growth(seen),
                latest.samples // len(seen.calls),
                (time.monotonic() - begun) / 60,
            )
            begun = time.monotonic()
            others = calibration.more()
            latest = observe(replace(program, calibration=others))
            calibration = calibration.followed_by(others)
            seen = replace(seen.joined(latest), origin=calibration.origin)
        return with_ranges(replace(program, calibration=calibration), seen)

    def _wants(self, program: Program, seen: Observation, latest: Observation) -> bool:
        """Whether ranges need as many samples as were drawn last, and there is room for them."""
        if growth(seen) <= self.growth or seen.samples >= self.most * len(seen.calls):
            return False
        # Each is drawn by a call of the float model, and looked at in another.
        work = 2.0 * multiply_adds(program.graph.graph) * (seen.samples + latest.samples)
        if work > self.work:
            log.warning(
                "Ranges still grow by %.1f %%, but other samples would be more than %.3g multiply-adds of "
                "calibrating; ask for them with --samples.",
                100 * growth(seen),
                self.work,
            )
        return work <= self.work


def observe(program: Program) -> Observation:
    """Runs the program's calibration samples. Raises DgqcError where a call has none, and for a sample whose
    values are not finite."""
    calibration = program.calibration
    if calibration is None:
        raise DgqcError("observe-ranges needs calibration samples; give some with --calib.")
    calls = len(program.schedule)

    def at_step(read: tuple[int, Iterator[Inputs]]) -> tuple[Mapping[str, Statistics], int]:
        """What was seen, and of how many samples."""
        step, samples, observer = read[0], 0, _Observer(program)
        where = f"call {step} of {calls} (timestep {program.schedule.timesteps[step]:g})"
        for inputs in read[1]:
            check_inputs(inputs, samples, where)
            for batch in arguments(program, inputs):
                observer.observe(batch, step)
            if observer.first_odd() is not None:
                check_values(inputs, samples, where, lambda one: first_odd(program, one, step))
            samples += len(inputs["sample"])
        if not observer.seen:
            raise DgqcError(
                f"The calibration samples hold none for call {step} of {calls} "
                f"(timestep {program.schedule.timesteps[step]:g}); record them for the whole schedule."
            )
        return _in_one_block(observer.seen), samples

    found = side_by_side(at_step, reads(calibration, range(calls)), call_bytes(program))
    observed, counts = zip(*track(found, "observing ranges", calls), strict=True)
    return Observation(observed, sum(counts), calibration.origin, calibration.synthetic)


def first_odd(program: Program, inputs: Inputs, step: int) -> str | None:
    """The first layer whose values are not finite, in the user's model; None where all are."""
    observer = _Observer(program)
    for batch in arguments(program, inputs):
        observer.observe(batch, step)
    name = observer.first_odd()
    sites = {
        str(node.args[1]): node for node in program.graph.graph.nodes if node.target is dgqc.site.default
    }
    return None if name is None else module_path(sites[name])


def _in_one_block(seen: Mapping[str, Statistics]) -> Mapping[str, Statistics]:
    """The same in one block of memory. Thousands of small ones, kept among what a call allocates and frees,
    would leave holes that no later call fills: gigabytes of them on large models."""
    tensors = [value for values in seen.values() for value in values]
    whole = torch.cat([value.reshape(-1) for value in tensors])
    parts = iter(torch.split(whole, [value.numel() for value in tensors]))
    return {
        name: tuple(next(parts).reshape(value.shape) for value in values) for name, values in seen.items()
    }


def with_ranges(program: Program, seen: Observation) -> Program:
    """The program with what was seen in its plans; their bits may differ from those of the program that was
    observed, since ranges are those of the float network.
    """
    plans = {name: _observed(plan, name, seen.calls) for name, plan in program.plans.items()}
    report = {
        "samples": seen.samples,
        "origin": seen.origin,
        "synthetic": seen.synthetic,
        "growth": round(growth(seen), 4),
    }
    return replace(program, plans=plans).with_report(ObserveRanges.name, report)


def _observed(plan: Plan, name: str, seen: Sequence[Mapping[str, Statistics]]) -> Plan:
    """The plan with the statistics of all calls."""
    if not isinstance(plan, Operand | Activation16 | Probabilities):
        return plan
    seen_here = [one[name] for one in seen]
    # Calls may have different numbers of samples.
    stacked = [torch.stack(values) for values in zip(*(one[:4] for one in seen_here), strict=True)]
    if isinstance(plan, Operand):
        channel, pixel = Ranges(stacked[0], stacked[1]), Ranges(stacked[2], stacked[3])
        return ObservedOperand(plan, channel, pixel, _variation(seen_here))
    if isinstance(plan, Probabilities):
        return ObservedProbabilities(plan.bits, stacked[0])
    return ObservedActivation16(stacked[0])


def _variation(calls: Sequence[Statistics]) -> Variation:
    """How the samples of each call differ."""

    def deviations(place: int) -> torch.Tensor:
        return torch.stack([one[place].std(correction=min(1, len(one[place]) - 1)) for one in calls])

    return Variation(torch.tensor([len(one[4]) for one in calls]), deviations(4), deviations(5))


class _Observer(BlockInterpreter):
    """Runs the graph and merges what passes through its sites into `seen`: site name to statistics."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.seen: dict[str, Statistics] = {}
        self.batch = 1

    def observe(self, inputs: tuple[torch.Tensor, ...], step: int) -> None:
        self.batch = len(inputs[0])
        with torch.no_grad():
            self.run(*inputs, torch.tensor(step))

    def see(self, name: str, value: torch.Tensor, site: fx.Node) -> None:
        new = _statistics(value, self.plans[name], site, self.batch)
        self.seen[name] = merged(self.seen[name], new) if name in self.seen else new

    def first_odd(self) -> str | None:
        """The first site with values that are not finite."""
        odd = (
            name for name, seen in self.seen.items() if not all(bool(one.isfinite().all()) for one in seen)
        )
        return next(odd, None)


def _statistics(x: torch.Tensor, plan: Plan, site: fx.Node, batch: int) -> Statistics:
    """Six of an operand, the largest magnitudes of anything else. batch: how many samples x is of."""
    if isinstance(plan, Activation16):
        source = site.args[0]
        assert isinstance(source, fx.Node)
        axis = channel_axis(source)
        others = [one for one in range(x.dim()) if one != axis]
        return (torch.maximum(-x.amin(dim=others), x.amax(dim=others)).abs(),)
    if not isinstance(plan, Operand):
        smallest, largest = torch.aminmax(x)
        return (torch.maximum(-smallest, largest).abs(),)
    if plan.role is Role.CONVOLUTION:
        return *_convolution_statistics(x, plan, site), *_extremes(x, batch)
    channel, pixel = (x.dim() - 2, x.dim() - 1) if plan.role is Role.RIGHT else (x.dim() - 1, x.dim() - 2)
    low, high = [], []
    for axis in (channel, pixel):
        others = [d for d in range(x.dim()) if d != axis]
        # A (B, C) input has its samples where pixels would be: one pixel.
        others = list(range(x.dim())) if x.dim() == 2 and axis == pixel else others
        low.append(x.amin(dim=others).reshape(-1))
        high.append(x.amax(dim=others).reshape(-1))
    return low[0], high[0], low[1], high[1], *_extremes(x, batch)


def _extremes(x: torch.Tensor, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The lowest and the highest value of each sample, (batch,) each; of what all share, once for each."""
    parts = x.reshape(batch, -1) if len(x) % batch == 0 else x.reshape(1, -1).expand(batch, -1)
    low, high = torch.aminmax(parts, dim=1)
    return low, high


def _convolution_statistics(x: torch.Tensor, plan: Operand, site: fx.Node) -> Statistics:
    """Channels over the image (and its padding), pixels over each output position's whole patch."""
    user = next(iter(site.users))
    weight: Any = user.args[1]
    stride: Any = user.args[3]
    padding: Any = user.args[4]
    kernel = tuple(weight.meta["val"].shape[2:])
    low, high = x.amin(dim=(0, 2, 3)), x.amax(dim=(0, 2, 3))
    if plan.padded:
        low, high = low.clamp(max=0), high.clamp(min=0)
    borders = (padding[1], padding[1], padding[0], padding[0])
    lowest = pad(x.amin(dim=(0, 1))[None, None], borders)
    highest = pad(x.amax(dim=(0, 1))[None, None], borders)
    pixel_low = -max_pool2d(-lowest, kernel, tuple(stride))
    pixel_high = max_pool2d(highest, kernel, tuple(stride))
    return low, high, pixel_low.flatten(), pixel_high.flatten()
