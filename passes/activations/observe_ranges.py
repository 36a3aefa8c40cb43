"""`observe-ranges`: smallest and largest values at every site, per call, streamed over the samples."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Answers, Inputs, reads, samples_in, spaced
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.moving import moved
from ...ir.ops.captured import multiply_adds
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
from .by_picture import pictures_of
from .coding_losses import CodingListener, first_samples, total
from .finite_samples import check_inputs, check_values
from .mask_values import mask_values
from .observation import PICTURES, Observation, Statistics, growth
from .site_statistics import SeenBy, joined, statistics

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
            pictures = pictures_of(inputs, calibration.guidance_scale, samples)
            for batch in arguments(program, inputs):
                observer.observe(batch, step, pictures[: len(batch[0])])
                pictures = pictures[len(batch[0]) :]
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
            observer.see(str(site.args[1]), moved(value), site)
        return _SeenCall(
            _in_one_block(observer.found()), samples, Answers(*observer.ends), observer.listener.lost
        )

    # Those that take longest first, so that none of them is the last one, for which other processors wait.
    order = sorted(range(calls), key=lambda step: step not in heard)
    found = shared_out(at_step, reads(calibration, order), call_bytes(program))
    each = dict(zip(order, track(found, "observing ranges", calls), strict=True))
    seen = [each[step] for step in range(calls)]
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
        observer.observe(batch, step, torch.arange(len(batch[0])))
    name = observer.first_odd()
    sites = {
        str(node.args[1]): node for node in program.graph.graph.nodes if node.target is dgqc.site.default
    }
    return None if name is None else module_path(sites[name])


def _in_one_block(seen: Mapping[str, Statistics]) -> Mapping[str, Statistics]:
    """The same on the CPU, in one block of memory. Thousands of small ones, kept among what a call allocates
    and frees, would leave holes that no later call fills: gigabytes of them on large models."""
    tensors = [value for values in seen.values() for value in values]
    whole = torch.cat([value.reshape(-1) for value in tensors]).to(CPU)
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
    samples = torch.tensor([int(one[PICTURES]) for one in calls])
    return Ranges(low, high), Variation(samples, other_low, other_high)


class _Observer(BlockInterpreter):
    """Runs the graph and merges what passes through its sites.

    seen: by site what `statistics` gives. ends: what came out of the first and the last sample. to_hear: how
    many samples of a batch the listener hears of.
    """

    def __init__(self, program: Program, to_hear: int = 0) -> None:
        super().__init__(program)
        self.listener, self.to_hear = CodingListener.of(program), to_hear
        self.seen: dict[str, SeenBy] = {}
        self.batch, self.apart = 1, program.batched
        self.pictures, self._known = moved(torch.zeros(1, dtype=torch.int64)), set[int]()
        self.ends: list[torch.Tensor] = []

    def observe(self, inputs: tuple[torch.Tensor, ...], step: int, pictures: torch.Tensor) -> None:
        """pictures: whose each sample is, int64 (B,)."""
        self.batch, self.pictures = len(inputs[0]), moved(pictures)
        self._known.update(pictures.tolist())
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
        new = statistics(value, self.plans[name], site, self.pictures)
        self.seen[name] = joined(self.seen[name], new) if name in self.seen else new

    def found(self) -> Mapping[str, Statistics]:
        """What was seen, without whose it was."""
        count = moved(torch.tensor([float(len(self._known))]))
        return {name: (*seen, count) if owners else seen for name, (seen, owners) in self.seen.items()}

    def first_odd(self) -> str | None:
        """The first site with values that are not finite."""
        odd = (
            name
            for name, (seen, _) in self.seen.items()
            if not all(bool(one.isfinite().all()) for one in seen)
        )
        return next(odd, None)
