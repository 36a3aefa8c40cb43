"""How far a full call goes beyond a shallow one's answer, for what the shallow ones before it got wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from ...ir.caching import full_entry, keeps_two, shallow_entry
from ...ir.ops.cached import CORRECTION_BITS
from ...ir.parallel import side_by_side
from ...ir.plans import CachedValue
from ...ir.program import Program
from ...ir.progress import track
from ...ir.sampler import Walk
from ..correction.pictures import SAMPLE, first_samples, picture_rows, sampler_and_guidance
from ..graph.batches import call_bytes
from ..simulation.block_interpreter import BlockInterpreter
from .features import HALVES
from .fit import SMALLEST
from .float_drawing import FloatDrawing

MOST = 4.0
"""Times the difference of two answers."""


def amends(program: Program, quantized: Program, plan: CachedValue, samples: int, who: str) -> torch.Tensor:
    """Of each call, float64 (T,): 0 where no shallow call was before, and at shallow ones.

    The shallow calls since the last full one leave a picture x' in the place of x. At the full call the
    quantized network says y of x', and would say y~ if it was shallow. Both ways err alike, so that m is of

        min sum |x_next - S(x', y + m (y - y~))|^2,

    S: what the scheduler makes of a picture and an answer; x_next: of x, by the float network. Each run of
    calls begins on the float network's own drawing. Since y and y~ are quantized, m is the smaller, the more
    of their difference is noise.

    program: at the planned level. quantized: at the simulated one, with the value cached as planned.
    plan: of that value. samples: of the first call, from which drawings begin. who: the pass, for messages.
    """
    sampler, guidance = sampler_and_guidance(program, who)
    inputs = first_samples(program, samples, who)
    rows = picture_rows(inputs[SAMPLE], guidance)
    calls = QuantizedCalls(quantized)

    def of_one(place: int) -> torch.Tensor:
        own = {name: value[list(rows[place])] for name, value in inputs.items()}
        return _of_picture(FloatDrawing(program, own, sampler, guidance, place), calls, plan.source.tolist())

    drawings = side_by_side(of_one, range(len(rows)), call_bytes(program, HALVES))
    together, alone = torch.stack(list(track(drawings, f"{who}: making amends", len(rows)))).sum(dim=0)
    unit = 2.0**-CORRECTION_BITS
    return torch.round(share(together, alone) / unit) * unit


def share(together: torch.Tensor, alone: torch.Tensor) -> torch.Tensor:
    """The best amends, of what `missed` tells of all pictures together."""
    return (together / alone.clamp(min=SMALLEST)).clamp(0.0, MOST)


@dataclass(frozen=True)
class AmendingCalls:
    """Calls of each sample: of the network itself, and full and shallow ones of the quantized network."""

    floating: int
    full: int
    shallow: int


def calls_to_amend(calls: int, interval: int) -> AmendingCalls:
    """How many it takes; of shallow ones, at most, for every full call but the first one is foretold, too."""
    return AmendingCalls(calls, -(-calls // interval), calls - 1)


class QuantizedCalls:
    """A simulated network's calls of both kinds."""

    def __init__(self, program: Program) -> None:
        """program: with a cached value."""
        self._full, self._shallow = full_entry(program), shallow_entry(program)
        self._two = keeps_two(program.graph.graph)

    def full(self) -> FullCall:
        return FullCall(BlockInterpreter(self._full))

    def shallow(self, left: Sequence[list[torch.Tensor]]) -> ShallowCall:
        """left: by full calls, the last one first, part by part of a batch; one or two of them."""
        last = left[0]
        older = left[1] if len(left) > 1 else [torch.zeros_like(one) for one in last]
        kept = map(torch.cat, zip(last, older, strict=True)) if self._two else last
        return ShallowCall(BlockInterpreter(self._shallow), iter(kept))


class FullCall:
    """left: what it leaves for shallow ones, a tensor for each part of a batch."""

    def __init__(self, network: BlockInterpreter) -> None:
        self._network = network
        self.left: list[torch.Tensor] = []

    def run(self, *given: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor
        output, value = self._network.run(*given)
        self.left.append(value)
        return output


class ShallowCall:
    """kept: what full calls left, for each part of a batch."""

    def __init__(self, network: BlockInterpreter, kept: Iterator[torch.Tensor]) -> None:
        self._network, self._kept = network, kept

    def run(self, *given: torch.Tensor) -> torch.Tensor:
        *inputs, step = given
        answer: torch.Tensor = self._network.run(*inputs, next(self._kept), step)
        return answer


def _of_picture(picture: FloatDrawing, calls: QuantizedCalls, source: Sequence[int]) -> torch.Tensor:
    """What is summed at each call of a drawing, float64 (2, T): of both differences, and of the second one's
    square."""
    walk, other = picture.start, picture.start.along(picture.sampler)
    found = torch.zeros(2, len(picture.sampler), dtype=torch.float64)
    left: list[list[torch.Tensor]] = []
    shallow = False
    for step, full in enumerate(source):
        picture.follow(walk, step, BlockInterpreter(picture.program))
        if full != step:
            picture.follow(other, step, calls.shallow(left))
            shallow = True
            continue
        call = calls.full()
        answer = picture.answer(other, step, call)
        if shallow:
            foretold = picture.answer(other, step, calls.shallow(left))
            found[:, step] = missed(picture, walk, other, step, (answer, 2 * answer - foretold))[:2]
        left = [call.left, *left[:1]]
        other, shallow = walk.along(picture.sampler), False
    return found


def missed(
    picture: FloatDrawing, walk: Walk, other: Walk, step: int, answers: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """Of the next picture, float64 (3,): sums of what the first answer misses by what the second one adds, of
    the square of that, and of the square of what is missed.

    walk: after the call. other: before it. answers: the full call's, and as far again beyond it.
    """
    ends = []
    for answer in answers:
        end = other.along(picture.sampler)
        end.follow(answer, picture.noises[step])
        ends.append(end.state.double())
    way, left = ends[1] - ends[0], walk.state - ends[0]
    return torch.stack([(way * left).sum(), way.square().sum(), left.square().sum()])
