"""Which values calibration has not seen the whole of yet: ranges that still grow with more pictures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..ir.calibration import Calibration
from ..ir.parallel import single_threaded
from ..ir.program import Program
from ..passes.activations.observation import Observation, growths
from ..passes.activations.observe_ranges import ObserveRanges, observe
from ..passes.manager.pipeline import format_pipeline, parse_pipeline
from ..passes.manager.presets import pipeline_for
from ..passes.weights.quantize_weights import QuantizeWeights
from .driver import lower
from .request import Request


@dataclass(frozen=True)
class Grown:
    """What a round of pictures added.

    before, pictures: how many there were, and are. sites: by what share of its width each operand's range
    grew, on the mean of the calls. limit: above which it counts.
    """

    before: int
    pictures: int
    sites: Mapping[str, float]
    limit: float

    @property
    def still(self) -> Mapping[str, float]:
        """The sites whose ranges grew, the most first."""
        ordered = sorted(self.sites.items(), key=lambda one: (-one[1], one[0]))
        return {name: share for name, share in ordered if share > self.limit}

    @property
    def mean(self) -> float:
        """Of all sites; `observe-ranges` draws no more samples once this is small."""
        return statistics.fmean(self.sites.values())


class Coverage:
    """Looks at every round of a calibration, and has seen enough when no operand's range grew.

    limit: the share of its width that a range may grow by. rounds: what each added, but for the first, which
    has none before it. Sites are those of the default pipeline, ranges those of the float network. (PTQ4ADM
    covers what prompts say; here it is what they do.)
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.rounds: list[Grown] = []
        self._pictures = 0
        self._program: Program | None = None
        self._seen: Observation | None = None

    @property
    def covered(self) -> bool:
        """Whether the last round widened nothing."""
        return bool(self.rounds) and not self.rounds[-1].still

    @single_threaded()
    def __call__(self, pipeline: Any, pictures: int, calls: Calibration, latest: Calibration) -> bool:
        """An `Enough` of `frontends.calibrating.rounds`."""
        before, self._pictures = self._pictures, pictures
        if self._program is None or self._seen is None:
            self._program = _sited(pipeline, calls)
            self._seen = observe(self._program)
            return False
        wider = self._seen.joined(observe(replace(self._program, calibration=latest)))
        self.rounds.append(Grown(before, pictures, growths(self._seen, wider), self.limit))
        self._seen = wider
        return self.covered


def _sited(pipeline: Any, calls: Calibration) -> Program:
    """The pipeline's UNet as ranges are observed on it."""
    passes = parse_pipeline(pipeline_for("w8a8"))
    before = [one.name for one in passes].index(ObserveRanges.name)
    chosen = [one for one in passes[:before] if one.name != QuantizeWeights.name]
    text = format_pipeline(chosen)
    program, _ = lower(Request(pipeline, pass_pipeline=text, calibration=calls, look_ahead=False))
    return program
