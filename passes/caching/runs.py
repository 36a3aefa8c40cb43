"""What a run of calls, a full one and the shallow ones after it, leaves of the next picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from ...ir.parallel import side_by_side
from ...ir.program import Program
from ...ir.progress import track
from ...ir.sampler import Walk
from ..correction.pictures import SAMPLE, first_samples, picture_rows, sampler_and_guidance
from ..graph.batches import call_bytes
from ..simulation.block_interpreter import BlockInterpreter
from .amends import QuantizedCalls, missed, share
from .features import HALVES, Movement
from .fit import fitted
from .float_drawing import FloatDrawing

PICTURES = 2
"""That runs are measured on."""
Parts = list[torch.Tensor]
"""A value, part by part of a batch."""


@dataclass(frozen=True)
class Foretelling:
    """How the value of a call is foretold where nobody has chosen the full calls yet.

    seen: how it moves. axis: of its channels. before: how many calls before a full one the last was; None
    where values are foretold from one full call alone.
    """

    seen: Movement
    axis: int
    before: int | None

    def of(self, left: Sequence[Parts], full: int, call: int) -> Parts:
        """The value at `call`, by what full calls left, `left[full]` the last of them."""
        back = None if self.before is None or full == 0 else max(0, full - self.before)
        fit = fitted(self.seen, call, full, back)
        factor, older, offset = (self._along(one) for one in (fit.factor, fit.older, fit.offset))
        others = [torch.zeros_like(one) for one in left[full]] if back is None else left[back]
        return [factor * x + older * z + offset for x, z in zip(left[full], others, strict=True)]

    def _along(self, table: torch.Tensor) -> torch.Tensor:
        shape = [1] * (self.axis + 1)
        shape[self.axis] = -1
        return table.float().reshape(shape + [1] * (self.seen.dimensions - self.axis - 1))


def run_costs(
    program: Program,
    quantized: Program,
    foretelling: Foretelling,
    most: int,
    amend: bool,
    samples: int,
    who: str,
) -> torch.Tensor:
    """What a run of calls leaves, float64 (T, R): [j, n - 1] of n calls, of which call j is full.

    The run begins on the float network's own drawing, and all its calls are the quantized network's. Call
    j + n is full again, and makes what amends are best for all pictures. What its own picture then differs
    from the float network's is told as the next call sees it, and squared; behind the last call, as the
    picture itself. Whatever quantization does to a feature, and to all that is foretold from it, is in it.

    program: at the planned level. quantized: at the simulated one, with the value cached as it is. most: R,
    calls of a run. amend: whether full calls make amends. samples: of the first call, at most. who: the pass,
    for messages.
    """
    sampler, guidance = sampler_and_guidance(program, who)
    inputs = first_samples(program, samples, who)
    rows = picture_rows(inputs[SAMPLE], guidance)[:PICTURES]
    calls = QuantizedCalls(quantized)

    def of_one(place: int) -> torch.Tensor:
        own = {name: value[list(rows[place])] for name, value in inputs.items()}
        drawing = FloatDrawing(program, own, sampler, guidance, place)
        return torch.stack(list(_RunsOfPicture(drawing, calls, foretelling).all(most)))

    drawings = side_by_side(of_one, range(len(rows)), call_bytes(program, HALVES))
    told = torch.stack(list(track(drawings, f"{who}: measuring runs of calls", len(rows)))).sum(dim=0)
    together, alone, left = told.unbind(dim=-1)
    amends = share(together, alone) if amend else torch.zeros_like(left)
    return left - 2 * amends * together + amends.square() * alone


def calls_to_measure(calls: int, interval: int) -> tuple[int, int, int]:
    """How many it takes for each sample: of the float network, full and shallow ones of the quantized one."""
    ends = sum(min(2 * interval, calls - 1 - begin) for begin in range(calls))  # that foretelling reaches
    return calls, ends + 1, ends


class _RunsOfPicture:
    """Of one picture. walks: before each call, and behind the last, by the float network."""

    def __init__(self, picture: FloatDrawing, calls: QuantizedCalls, foretelling: Foretelling) -> None:
        self._picture, self._calls, self._foretelling = picture, calls, foretelling
        walk, sampler = picture.start, picture.sampler
        self.walks, self._left, self._answers = [walk.along(sampler)], list[Parts](), list[torch.Tensor]()
        for step in range(len(sampler)):
            call = calls.full()
            self._answers.append(picture.answer(walk, step, call))
            self._left.append(call.left)
            picture.follow(walk, step, BlockInterpreter(picture.program))
            self.walks.append(walk.along(sampler))

    def all(self, most: int) -> Iterator[torch.Tensor]:
        """For each call that is full, float64 (R, 3), as `missed`; 0 where there are no such calls."""
        for full in range(len(self._left)):
            found = torch.zeros(most, 3, dtype=torch.float64)
            for place, one in enumerate(self._of(full, most)):
                found[place] = one
            yield found

    def _of(self, full: int, most: int) -> Iterator[torch.Tensor]:
        picture, last = self._picture, len(self._left) - 1
        other = self.walks[full + 1].along(picture.sampler)
        for call in range(full + 1, min(full + most, last) + 1):
            foretold = self._calls.shallow([self._foretelling.of(self._left, full, call)])
            shallow = picture.answer(other, call, foretold)
            if call == full + 1:  # No shallow call is before it to make amends for.
                answers = self._answers[call], self._answers[call]
            else:
                answer = picture.answer(other, call, self._calls.full())
                answers = answer, 2 * answer - shallow
            seen = 1.0 if call == last else picture.sampler.inputs[call + 1]
            yield seen**2 * missed(picture, self.walks[call + 1], other, call, answers)
            other.follow(shallow, picture.noises[call])
        if full + most > last:
            yield self._ended(other)

    def _ended(self, other: Walk) -> torch.Tensor:
        """Of a run that no full call follows."""
        differs = (other.state - self.walks[-1].state).double().square().sum()
        return torch.stack([torch.zeros_like(differs), torch.zeros_like(differs), differs])
