"""What an error of a value at one call does to the picture: the float network draws on from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx

from ...ir.calibration import Inputs
from ...ir.moving import moved
from ...ir.parallel import side_by_side
from ...ir.program import Program
from ...ir.progress import track
from ...ir.sampler import Sampler, Walk
from ..correction.pictures import (
    SAMPLE,
    Network,
    answered,
    first_samples,
    guided,
    picture_rows,
    sampler_and_guidance,
)
from ..graph.batches import call_bytes
from ..graph.edit import dgqc
from ..simulation.block_interpreter import BlockInterpreter
from .features import HALVES, Watching

PROBES = 8
"""Calls at which it is measured; between them it is interpolated, geometrically."""
PICTURES = 2
"""That it is measured on: it differs from call to call by powers of ten, not from picture to picture."""
SMALLEST = 1e-30
"""Of squares that are divided."""


class Taking(BlockInterpreter):
    """One site hands on what it is given, part by part of a batch, instead of what comes."""

    def __init__(self, program: Program, site: str, parts: Iterator[torch.Tensor]) -> None:
        super().__init__(program)
        self._site, self._parts = site, parts

    def run_node(self, n: fx.Node) -> Any:
        if n.target is dgqc.site.default and str(n.args[1]) == self._site:
            return moved(next(self._parts))
        return super().run_node(n)


def picture_weights(program: Program, site: str, samples: int, who: str) -> torch.Tensor:
    """By how much the square error of the value at each call counts for the picture's, float64 (T,).

    At call i the value of the call before is taken, a picture is drawn on from there, and the square of what
    it differs by is divided by the square of what the value differed by. The first call's weighs nothing.

    program: at the planned level. samples: of the first call, at most. who: the pass, for messages.
    """
    sampler, guidance = sampler_and_guidance(program, who)
    inputs = first_samples(program, samples, who)
    rows = picture_rows(inputs[SAMPLE], guidance)[:PICTURES]
    places = probed(len(sampler))

    def of_one(place: int) -> torch.Tensor:
        own = {name: value[list(rows[place])] for name, value in inputs.items()}
        return _of_picture(FloatDrawing(program, own, sampler, guidance, place), site, places)

    drawings = side_by_side(of_one, range(len(rows)), call_bytes(program, HALVES))
    told = track(drawings, f"{who}: weighing calls", len(rows))
    pictures, values = torch.stack(list(told)).sum(dim=0)
    found = (pictures / values.clamp(min=SMALLEST)).clamp(min=SMALLEST)
    return interpolated(places, found, len(sampler))


def probed(calls: int) -> list[int]:
    """Calls at which weights are measured: the second, some between, and the last two, since the last is like
    no other where its output is the picture."""
    others = torch.linspace(1, max(1, calls - 2), min(PROBES - 1, max(1, calls - 2)))
    return sorted({*(round(float(one)) for one in others), calls - 1})


def calls_to_weigh(calls: int) -> int:
    """How many calls of the network measuring takes for each sample."""
    return calls + sum(calls - one for one in probed(calls))


def interpolated(places: list[int], found: torch.Tensor, calls: int) -> torch.Tensor:
    """Of all calls, geometrically; 0 for the first one. found: float64, of the places, positive."""
    weights = torch.zeros(calls, dtype=torch.float64)
    weights[places[0]] = found[0]
    for left, right, low, high in zip(places, places[1:], found.log(), found.log()[1:], strict=False):
        share = torch.arange(1, right - left + 1, dtype=torch.float64) / (right - left)
        weights[left + 1 : right + 1] = (low + (high - low) * share).exp()
    return weights


class FloatDrawing:
    """One drawing, whose rows are the halves of a guided one."""

    def __init__(
        self, program: Program, inputs: Inputs, sampler: Sampler, guidance: float, seed: int
    ) -> None:
        self.program, self.inputs, self.sampler = program, inputs, sampler
        self._guidance = guidance
        first = inputs[SAMPLE][:1] / sampler.inputs[0]
        self.start = Walk(sampler, first)
        generator = torch.Generator().manual_seed(seed)
        self.noises = [torch.randn(first.shape, generator=generator) for _ in range(len(sampler))]
        self._rows = (tuple(range(len(inputs[SAMPLE]))),)

    def follow(self, walk: Walk, step: int, network: Network) -> None:
        """Goes on by a call."""
        walk.follow(self.answer(walk, step, network), self.noises[step])

    def answer(self, walk: Walk, step: int, network: Network) -> torch.Tensor:
        """What the scheduler is told at a call."""
        sample = (walk.state * self.sampler.inputs[step]).expand_as(self.inputs[SAMPLE])
        answer = answered(self.program, network, self.inputs, sample, step)
        return guided(answer, self._rows, self._guidance)

    def ended(self, walk: Walk, step: int, network: Callable[[], Network]) -> torch.Tensor:
        """The picture, drawn on from a call."""
        for later in range(step, len(self.sampler)):
            self.follow(walk, later, network())
        return walk.state


def _of_picture(picture: FloatDrawing, site: str, places: list[int]) -> torch.Tensor:
    """Square errors of the picture and of the value, float64 (2, P), at each place."""
    walk, ended, errors = picture.start, list[torch.Tensor](), list[float]()
    before: list[torch.Tensor] = []

    def plain() -> fx.Interpreter:
        return BlockInterpreter(picture.program)

    for step in range(len(picture.sampler)):
        network = Watching(picture.program, site)
        other = walk.along(picture.sampler) if step in places else None
        picture.follow(walk, step, network)
        if other is not None:
            picture.follow(other, step, Taking(picture.program, site, iter(before)))
            ended.append(picture.ended(other, step + 1, plain))
            errors.append(_square(network.found, before))
        before = network.found
    pictures = [_square([one], [walk.state]) for one in ended]
    return torch.tensor([pictures, errors], dtype=torch.float64)


def _square(some: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    return sum(float((x - y).double().square().sum()) for x, y in zip(some, others, strict=True))
