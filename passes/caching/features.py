"""A value of the float network at all calls of a few drawings: how far it moves from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from torch import fx

from ...ir.calibration import Inputs
from ...ir.devices import CPU
from ...ir.parallel import side_by_side
from ...ir.program import Program
from ...ir.progress import track
from ...ir.sampler import Sampler, Walk
from ..correction.pictures import (
    SAMPLE,
    answered,
    first_samples,
    guided,
    picture_rows,
    sampler_and_guidance,
)
from ..graph.batches import call_bytes
from ..simulation.block_interpreter import BlockInterpreter

HALVES = 2
"""Samples of a guided drawing's call."""


@dataclass(frozen=True)
class Movement:
    """Sums over drawings and pixels. F_i: the value at call i, which is compared with those at call i - d and
    less; 0 where there is no such call.

    distance: float64 (T, D), of |F_i - F_(i - d)|, channels too. mixed: float64 (T, D, C), of F_i F_(i - d).
    total: float64 (T, C), of F_i. count: of what is summed. dimensions: of the value.
    """

    distance: torch.Tensor
    mixed: torch.Tensor
    total: torch.Tensor
    count: int
    dimensions: int = 4

    def and_of(self, other: Movement) -> Movement:
        """Of the drawings of both."""
        return Movement(
            self.distance + other.distance,
            self.mixed + other.mixed,
            self.total + other.total,
            self.count + other.count,
            self.dimensions,
        )

    def mean(self, call: int) -> torch.Tensor:
        """Of each channel, float64 (C,)."""
        return self.total[call] / self.count

    def covariance(self, later: int, earlier: int) -> torch.Tensor:
        """Of each channel at two calls that were compared, float64 (C,)."""
        mixed = self.mixed[later, later - earlier] / self.count
        return mixed - self.mean(later) * self.mean(earlier)


class Watching(BlockInterpreter):
    """Keeps what goes through one site: `found`, a tensor for each part of a batch."""

    def __init__(self, program: Program, site: str) -> None:
        super().__init__(program)
        self._site = site
        self.found: list[torch.Tensor] = []

    def see(self, name: str, value: torch.Tensor, site: fx.Node) -> None:
        if name == self._site:
            self.found.append(value.to(CPU))


def movement(program: Program, site: str, axis: int, reach: int, samples: int, who: str) -> Movement:
    """Of the value at a site, in the float network's own drawings.

    program: at the planned level. axis: of channels. reach: D, of calls that are compared. samples: of the
    first call, from which drawings begin. who: the pass, for messages.
    Raises DgqcError where pictures can't be drawn from what is known.
    """
    sampler, guidance = sampler_and_guidance(program, who)
    inputs = first_samples(program, samples, who)
    rows = picture_rows(inputs[SAMPLE], guidance)

    def of_one(place: int) -> Movement:
        own = {name: value[list(rows[place])] for name, value in inputs.items()}
        return _of_values(_drawn(program, site, own, sampler, guidance, place), axis, reach)

    drawings = side_by_side(of_one, range(len(rows)), call_bytes(program, HALVES))
    return reduce(Movement.and_of, track(drawings, f"{who}: drawing pictures", len(rows)))


def _drawn(
    program: Program, site: str, inputs: Inputs, sampler: Sampler, guidance: float, seed: int
) -> list[torch.Tensor]:
    """The value at each call of one drawing, whose rows are the halves of a guided one."""
    first = inputs[SAMPLE][:1] / sampler.inputs[0]
    both = (tuple(range(len(inputs[SAMPLE]))),)
    walk, values = Walk(sampler, first), list[torch.Tensor]()
    generator = torch.Generator().manual_seed(seed)
    for step in range(len(sampler)):
        network = Watching(program, site)
        sample = (walk.state * sampler.inputs[step]).expand_as(inputs[SAMPLE])
        answer = answered(program, network, inputs, sample, step)
        values.append(torch.cat(network.found))
        walk.follow(guided(answer, both, guidance), torch.randn(first.shape, generator=generator))
    return values


def _of_values(values: list[torch.Tensor], axis: int, reach: int) -> Movement:
    """values: (B, ..., C, ...) of each call, C along the axis."""
    rows = [value.movedim(axis, 0).flatten(1) for value in values]
    calls, channels = len(rows), len(rows[0])
    distance = torch.zeros(calls, reach, dtype=torch.float64)
    mixed = torch.zeros(calls, reach, channels, dtype=torch.float64)
    for call, y in enumerate(rows):
        for back, x in enumerate(reversed(rows[max(0, call - reach + 1) : call + 1])):
            distance[call, back] = (y - x).abs().sum(dtype=torch.float64)
            mixed[call, back] = (x * y).sum(dim=1, dtype=torch.float64)
    total = torch.stack([one.sum(dim=1, dtype=torch.float64) for one in rows])
    return Movement(distance, mixed, total, rows[0].shape[1], values[0].dim())
