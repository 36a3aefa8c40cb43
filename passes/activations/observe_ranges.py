"""`observe-ranges`: smallest and largest values at every site, per call, streamed over the samples."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx
from torch.nn.functional import max_pool2d, pad

from ...ir.calibration import Answers, Inputs, reads, samples_in, spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import channel_axis, multiply_adds
from ...ir.plans import (
    Activation16,
    CodingLoss,
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
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import dgqc, module_path
from ..manager.registry import register_pass
from ..simulation.block_interpreter import BlockInterpreter
from .coding_losses import CodingListener, first_samples, total
from .finite_samples import check_inputs, check_values
from .mask_values import mask_values
from .observation import Observation, Statistics, furthest, growth, merged

log = logging.getLogger("dgqc")

HEARD = 4
"""Samples whose attentions are listened to, as `choose-probabilities` does."""


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

    attentions: at so many calls, evenly spaced, it is noted of the first 4 samples what each way to code
    attention probabilities would change, so that `choose-probabilities` need not run the network again.
    """

    growth: float = 0.02
    most: int = 64
    work: float = 2e13
    attentions: int = 0

    name: ClassVar[str] = "observe-ranges"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})

    def run(self, program: Program) -> Program:
        begun = time.monotonic()
        seen = latest = observe(program, spaced(len(program.schedule), self.attentions))
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


def observe(program: Program, heard: Collection[int] = ()) -> Observation:
    """Runs the program's calibration samples. heard: calls at which attentions are listened to.

    Raises DgqcError where a call has none, and for a sample whose values are not finite.
    """
    calibration = program.calibration
    if calibration is None:
        raise DgqcError("observe-ranges needs calibration samples; give some with --calib.")
    calls, masked = len(program.schedule), mask_values(program)

    def at_step(read: tuple[int, Iterator[Inputs]]) -> _SeenCall:
        step, samples = read[0], 0
        observer = _Observer(program, HEARD if step in heard else 0)
        where = f"call {step} of {calls} (timestep {program.schedule.timesteps[step]:g})"
        for inputs in read[1]:
            check_inputs(inputs, samples, where)
            for batch in arguments(program, inputs):
                observer.observe(batch, step)
            observer.to_hear = 0
            if observer.first_odd() is not None:
                check_values(inputs, samples, where, lambda one: first_odd(program, one, step))
            samples += samples_in(inputs)
        if not observer.seen:
            raise DgqcError(
                f"The calibration samples hold none for call {step} of {calls} "
                f"(timestep {program.schedule.timesteps[step]:g}); record them for the whole schedule."
            )
        for site, value in masked:
            observer.see(str(site.args[1]), value, site)
        return _SeenCall(
            _in_one_block(observer.seen), samples, Answers(*observer.ends), observer.listener.lost
        )

    found = shared_out(at_step, reads(calibration, range(calls)), call_bytes(program))
    seen = list(track(found, "observing ranges", calls))
    heard_of = [call.lost for call in seen if call.lost]
    return Observation(
        [call.seen for call in seen],
        sum(call.samples for call in seen),
        calibration.origin,
        calibration.synthetic,
        [call.answers for call in seen],
        {name: total([lost[name] for lost in heard_of]) for name in (heard_of[0] if heard_of else ())},
    )


@dataclass(frozen=True)
class _SeenCall:
    """What was seen, of how many samples, what came out, and what was heard of attentions."""

    seen: Mapping[str, Statistics]
    samples: int
    answers: Answers
    lost: Mapping[str, CodingLoss]


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
    plans = {name: _observed(plan, name, seen) for name, plan in program.plans.items()}
    report = {
        "samples": seen.samples,
        "origin": seen.origin,
        "synthetic": seen.synthetic,
        "growth": round(growth(seen), 4),
    }
    calibration = program.calibration
    if calibration is not None:
        calibration = replace(calibration, answers=dict(enumerate(seen.answers)))
    return replace(program, plans=plans, calibration=calibration).with_report(ObserveRanges.name, report)


def _observed(plan: Plan, name: str, seen: Observation) -> Plan:
    """The plan with the statistics of all calls."""
    if not isinstance(plan, Operand | Activation16 | Probabilities):
        return plan
    seen_here = [one[name] for one in seen.calls]
    if isinstance(plan, Operand):
        (channel, channels), (pixel, pixels) = _along(seen_here, 0), _along(seen_here, 2)
        return ObservedOperand(plan, channel, pixel, channels, pixels)
    largest = torch.stack([one[0] for one in seen_here])
    if isinstance(plan, Probabilities):
        return ObservedProbabilities(plan.bits, largest, seen.lost.get(name))
    return ObservedActivation16(largest)


def _along(calls: Sequence[Statistics], place: int) -> tuple[Ranges, Variation]:
    """Of one dimension. place: of its lows in the statistics, before its highs."""
    (low, other_low), (high, other_high) = (
        [torch.stack([one[end][row] for one in calls]) for row in (0, -1)] for end in (place, place + 1)
    )
    samples = torch.tensor([len(one[-1]) for one in calls])
    return Ranges(low, high), Variation(samples, other_low, other_high)


class _Observer(BlockInterpreter):
    """Runs the graph and merges what passes through its sites into `seen`: site name to statistics.

    ends: what came out of the first and the last sample. to_hear: how many samples of a batch the listener
    hears of.
    """

    def __init__(self, program: Program, to_hear: int = 0) -> None:
        super().__init__(program)
        self.listener, self.to_hear = CodingListener.of(program), to_hear
        self.seen: dict[str, Statistics] = {}
        self.batch, self.apart = 1, program.batched
        self.ends: list[torch.Tensor] = []

    def observe(self, inputs: tuple[torch.Tensor, ...], step: int) -> None:
        self.batch = len(inputs[0])
        with torch.no_grad():
            found = self.run(*inputs, torch.tensor(step))
        first, last = (found[:1].clone(), found[-1:].clone()) if self.apart else (found, found)
        self.ends = [*(self.ends[:1] or [first]), last]

    def run_node(self, n: fx.Node) -> Any:
        if self.to_hear and n in self.listener.sites:
            both, _ = self.fetch_args_kwargs_from_env(n)
            self.listener.hear(n, *(first_samples(one, self.to_hear, self.batch) for one in both))
        return super().run_node(n)

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
    # (samples, parts of one, ...); what all samples share is one for all.
    parts = x.reshape(batch, -1, *x.shape[1:]) if len(x) % batch == 0 else x[None]
    low, high = _extremes(parts, _channel_axis(plan, x.dim()))
    ends = low.amin(dim=1).expand(batch), high.amax(dim=1).expand(batch)
    if plan.role is Role.CONVOLUTION:
        if plan.padded:
            low, high = low.clamp(max=0), high.clamp(min=0)
        patches = _patch_extremes(parts.flatten(0, 1), site)
        of_samples = [one.reshape(*parts.shape[:2], -1) for one in patches]
        pixels = of_samples[0].amin(dim=1), of_samples[1].amax(dim=1)
    else:
        # Of a (B, C) input each sample is one pixel; several rows of one sample are as many.
        pixels = _extremes(parts, 2 * x.dim() - 3 - _channel_axis(plan, x.dim()))
    found = zip((low, high, *pixels), (False, True, False, True), strict=True)
    return *(furthest(values, up) for values, up in found), *ends


def _channel_axis(plan: Operand, dimensions: int) -> int:
    """Where channels lie in a value of so many dimensions; pixels are the other of the last two."""
    if plan.role is Role.CONVOLUTION:
        return 1
    return dimensions - 2 if plan.role is Role.RIGHT else dimensions - 1


def _extremes(parts: torch.Tensor, axis: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and the largest value of each sample and index along an axis, (samples, n); of all values
    of a sample where there is none. parts: (samples, parts, ...). axis: counted without the first."""
    others = [one for one in range(1, parts.dim()) if axis is None or one != axis + 1]
    low, high = parts.amin(dim=others), parts.amax(dim=others)
    return low.reshape(len(parts), -1), high.reshape(len(parts), -1)


def _patch_extremes(x: torch.Tensor, site: fx.Node) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each output position's whole patch, (B, positions). x: (B, C, H, W)."""
    user = next(iter(site.users))
    weight: Any = user.args[1]
    stride: Any = user.args[3]
    padding: Any = user.args[4]
    kernel = tuple(weight.meta["val"].shape[2:])
    borders = (padding[1], padding[1], padding[0], padding[0])
    lowest = pad(x.amin(dim=1, keepdim=True), borders)
    highest = pad(x.amax(dim=1, keepdim=True), borders)
    low = -max_pool2d(-lowest, kernel, tuple(stride))
    return low.flatten(1), max_pool2d(highest, kernel, tuple(stride)).flatten(1)
