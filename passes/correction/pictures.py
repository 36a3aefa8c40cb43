"""The same pictures drawn by the float network and by the quantized one, call by call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

import torch
from torch import fx

from ...ir.calibration import Inputs
from ...ir.errors import DgqcError
from ...ir.plans import Correction
from ...ir.program import Program
from ...ir.progress import track
from ...ir.sampler import Sampler, StepFactors, Walk
from ..graph.batches import arguments
from ..manager.failures import snapshot
from ..simulation.block_interpreter import BlockInterpreter
from ..simulation.device_interpreter import DeviceInterpreter
from ..simulation.simulate import Simulate

SAMPLE = "sample"
TABLE_BITS = 20
"""Finer than tables at the integer level, and coarse enough to be the same on every machine."""


class Corrected(StrEnum):
    """What of a call is corrected."""

    SAMPLE = "sample"
    """The noisy picture that it begins with."""
    OUTPUT = "output"
    """What the network says of it."""


@dataclass(frozen=True)
class Affine:
    """x^ = factor * x + offset. Both float64 (C,)."""

    factor: torch.Tensor
    offset: torch.Tensor

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x: (B, C, ...)."""
        sizes = (1, -1, *[1] * (x.dim() - 2))
        return (x.double() * self.factor.reshape(sizes) + self.offset.reshape(sizes)).to(x.dtype)


class Network(Protocol):
    """What answers a call, part by part of a batch: an `fx.Interpreter`, for one."""

    def run(self, *given: Any) -> Any:
        """given: as the program's graph takes it, the step last."""


@dataclass(frozen=True)
class BothNetworks:
    """The float network and the quantized one, which draw the same pictures.

    first: the pictures' states before the first call. rows: of the samples, of each picture. who: the pass.
    """

    program: Program
    simulated: fx.GraphModule
    sampler: Sampler
    guidance: float
    inputs: Inputs
    rows: Sequence[tuple[int, ...]]
    first: torch.Tensor
    who: str

    def walk(self, factors: StepFactors | None = None) -> Walk:
        """At the first call. factors: of the scheduler, where it has some."""
        return Walk(self.sampler if factors is None else self.sampler.times(factors), self.first)

    def calls(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Each call, with the noise that both schedulers add after it."""
        generator, count = torch.Generator().manual_seed(0), len(self.sampler)
        for step in track(range(count), f"{self.who}: drawing pictures", count):
            yield step, torch.randn(self.first.shape, generator=generator)

    def seen(self, walk: Walk, step: int) -> torch.Tensor:
        """The sample of every row."""
        return at_model(walk.state, self.rows, self.sampler.inputs[step])

    def wanted(self, sample: torch.Tensor, step: int) -> torch.Tensor:
        """The float network's answer."""
        return answered(self.program, BlockInterpreter(self.program), self.inputs, sample, step)

    def answer(self, sample: torch.Tensor, step: int) -> torch.Tensor:
        """The quantized network's."""
        return answered(self.program, DeviceInterpreter(self.simulated), self.inputs, sample, step)

    def told(self, answer: torch.Tensor) -> torch.Tensor:
        """What the scheduler is told of each picture."""
        return guided(answer, self.rows, self.guidance)


def both_networks(program: Program, samples: int, who: str) -> BothNetworks:
    """program: at the planned level, with plans that can be simulated. samples: of the first call, from which
    pictures are drawn. who: the pass, for messages.

    Raises DgqcError where pictures can't be drawn from what is known.
    """
    sampler, guidance = sampler_and_guidance(program, who)
    inputs = first_samples(program, samples, who)
    rows = picture_rows(inputs[SAMPLE], guidance)
    simulated = Simulate().run(replace(program, graph=snapshot(program))).graph
    first = inputs[SAMPLE][[row[0] for row in rows]] / sampler.inputs[0]
    return BothNetworks(program, simulated, sampler, guidance, inputs, rows, first, who)


ChannelFit = Callable[[torch.Tensor, torch.Tensor], Affine]
"""fit(wanted, found): what brings `found` to `wanted`, both float64 (C, n), a row for each channel."""


def fitted(program: Program, place: Corrected, fit: ChannelFit, samples: int, who: str) -> Correction:
    """What corrects the values at a place, fitted call by call: earlier calls are corrected already.

    Arguments and errors are those of `both_networks`.
    """
    both = both_networks(program, samples, who)
    # Of the two, only the quantized one goes along what another pass has made of the scheduler.
    real, quantized = both.walk(), both.walk(program.step_factors)
    found: list[Affine] = []
    for step, noise in both.calls():
        before = [both.seen(walk, step) for walk in (real, quantized)]
        wanted = both.wanted(before[0], step)
        if place is Corrected.SAMPLE:
            found.append(fit(*(_by_channel(one) for one in before)))
            before[1] = found[-1](before[1])
        answer = both.answer(before[1], step)
        if place is Corrected.OUTPUT:
            found.append(fit(_by_channel(wanted), _by_channel(answer)))
            answer = found[-1](answer)
        real.follow(both.told(wanted), noise)
        quantized.follow(both.told(answer), noise)
    factor, offset = ([getattr(one, what) for one in found] for what in ("factor", "offset"))
    return Correction(rounded_table(torch.stack(factor)), rounded_table(torch.stack(offset)))


def rounded_table(table: torch.Tensor) -> torch.Tensor:
    """In steps of a 2^20th of the largest power of two in it."""
    _, exponent = torch.frexp(table.abs().max())
    unit = torch.ldexp(torch.ones((), dtype=torch.float64), exponent - TABLE_BITS)
    return torch.round(table / unit) * unit


def sampler_and_guidance(program: Program, who: str) -> tuple[Sampler, float]:
    """What happens between calls, and how far pictures are guided: 1 where nobody knows."""
    calibration = program.calibration
    if calibration is None:
        raise DgqcError(f"{who} needs calibration samples; give some with --calib.")
    if calibration.sampler is None:
        raise DgqcError(
            f"{who} draws pictures, but nobody knows the scheduler between the calls; compile a model with "
            f"its scheduler, or leave {who} out."
        )
    return calibration.sampler(), calibration.guidance_scale or 1.0


def first_samples(program: Program, samples: int, who: str) -> Inputs:
    """The first call's inputs, as many rows as asked for, or all."""
    assert program.calibration is not None
    batches = list(program.calibration.read(0))
    inputs = {name: torch.cat([one[name] for one in batches])[:samples] for name in batches[0]}
    output = next(node for node in program.graph.graph.nodes if node.op == "output").all_input_nodes[0]
    shapes = tuple(inputs[SAMPLE].shape[1:]), tuple(output.meta["val"].shape[1:])
    if shapes[0] != shapes[1]:
        raise DgqcError(
            f"{who} draws pictures, but the model answers {shapes[1]} for a sample of {shapes[0]}, which no "
            f"scheduler goes on with; leave {who} out."
        )
    return inputs


def picture_rows(samples: torch.Tensor, guidance: float) -> Sequence[tuple[int, ...]]:
    """The rows of each picture: two that begin alike are the halves of one where pictures are guided."""
    found: dict[bytes, list[int]] = {}
    for row, sample in enumerate(samples):
        found.setdefault(sample.contiguous().numpy().tobytes(), []).append(row)
    if guidance <= 1 or any(len(rows) > 2 for rows in found.values()):
        return [(row,) for row in range(len(samples))]
    return [tuple(rows) for rows in found.values()]


def at_model(state: torch.Tensor, rows: Sequence[tuple[int, ...]], scale: float) -> torch.Tensor:
    """Every row's sample, from the pictures' states."""
    owner = {row: picture for picture, own in enumerate(rows) for row in own}
    return state[[owner[row] for row in range(len(owner))]] * scale


def answered(
    program: Program, network: Network, inputs: Inputs, sample: torch.Tensor, step: int
) -> torch.Tensor:
    given: Mapping[str, torch.Tensor] = {**inputs, SAMPLE: sample}
    with torch.no_grad():
        return torch.cat([network.run(*part, torch.tensor(step)) for part in arguments(program, given)])


def guided(answers: torch.Tensor, rows: Sequence[tuple[int, ...]], guidance: float) -> torch.Tensor:
    """What the scheduler is told of each picture: u + guidance (c - u) of two halves."""
    away, towards = answers[[own[0] for own in rows]], answers[[own[-1] for own in rows]]
    return away + guidance * (towards - away)


def _by_channel(x: torch.Tensor) -> torch.Tensor:
    """(B, C, ...) as float64 (C, n)."""
    return x.transpose(0, 1).flatten(1).double()
