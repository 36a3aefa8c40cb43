"""A value of the float network at all calls of a few drawings: how far it moves from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
from torch import fx

from ...ir.calibration import Inputs
from ...ir.parallel import side_by_side
from ...ir.plans import CachedValue
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

SMALLEST = 1e-30
"""Variances below it are of values that don't change."""
HALVES = 2
"""Samples of a guided drawing's call."""
TABLE_BITS = 20
"""Finer than tables at the integer level, and coarse enough to be the same on every machine."""


@dataclass(frozen=True)
class Movement:
    """Sums over drawings and pixels. F_i: the value at call i.

    distance: float64 (T, T), of |F_j - F_i|, channels too; 0 where i isn't within reach of j <= i.
    mixed: float64 (T, T, C), of F_j F_i, likewise. total, square: float64 (T, C), of F_i and of its square.
    count: of what is summed.
    """

    distance: torch.Tensor
    mixed: torch.Tensor
    total: torch.Tensor
    square: torch.Tensor
    count: int

    def and_of(self, other: Movement) -> Movement:
        """Of the drawings of both."""
        return Movement(
            self.distance + other.distance,
            self.mixed + other.mixed,
            self.total + other.total,
            self.square + other.square,
            self.count + other.count,
        )

    def correction(self, source: torch.Tensor, axis: int) -> CachedValue:
        """The least squares of each call's value by that of its source: a = Cov(Y, X) / Var(X),
        b = E[Y] - a E[X]. source: int64 (T,)."""
        calls = torch.arange(len(source))
        x, y = self.total[source] / self.count, self.total / self.count
        variance = self.square[source] / self.count - x.square()
        covariance = self.mixed[source, calls] / self.count - x * y
        factor = torch.where(variance > SMALLEST, covariance / variance.clamp(min=SMALLEST), 1.0)
        own = (source == calls)[:, None]
        factor = torch.where(own, 1.0, factor)
        offset = torch.where(own, 0.0, y - factor * x)
        return CachedValue(source, rounded(factor), rounded(offset), axis)


def rounded(table: torch.Tensor) -> torch.Tensor:
    """In steps of a 2^20th of the largest power of two in it."""
    _, exponent = torch.frexp(table.abs().max())
    unit = torch.ldexp(torch.ones((), dtype=torch.float64), exponent - TABLE_BITS)
    return torch.round(table / unit) * unit


class _Watching(BlockInterpreter):
    """Keeps what goes through one site."""

    def __init__(self, program: Program, site: str) -> None:
        super().__init__(program)
        self._site = site
        self.found: list[torch.Tensor] = []

    def see(self, name: str, value: torch.Tensor, site: fx.Node) -> None:
        if name == self._site:
            self.found.append(value)


def movement(program: Program, site: str, axis: int, reach: int, samples: int, who: str) -> Movement:
    """Of the value at a site, in the float network's own drawings.

    program: at the planned level. axis: of channels. reach: of calls that are compared, j <= i < j + reach.
    samples: of the first call, from which drawings begin. who: the pass, for messages.
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
        network = _Watching(program, site)
        sample = (walk.state * sampler.inputs[step]).expand_as(inputs[SAMPLE])
        answer = answered(program, network, inputs, sample, step)
        values.append(torch.cat(network.found))
        walk.follow(guided(answer, both, guidance), torch.randn(first.shape, generator=generator))
    return values


def _of_values(values: list[torch.Tensor], axis: int, reach: int) -> Movement:
    """values: (B, ..., C, ...) of each call, C along the axis."""
    rows = [value.movedim(axis, 0).flatten(1) for value in values]
    calls, channels = len(rows), len(rows[0])
    distance = torch.zeros(calls, calls, dtype=torch.float64)
    mixed = torch.zeros(calls, calls, channels, dtype=torch.float64)
    for first, x in enumerate(rows):
        for later in range(first, min(first + reach, calls)):
            y = rows[later]
            distance[first, later] = (y - x).abs().sum(dtype=torch.float64)
            mixed[first, later] = (x * y).sum(dim=1, dtype=torch.float64)
    total, square = (
        torch.stack([one.sum(dim=1, dtype=torch.float64) for one in each])
        for each in (rows, [one.square() for one in rows])
    )
    return Movement(distance, mixed, total, square, rows[0].shape[1])
