"""What a scheduler does between a program's calls, as real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch

STATE, OUTPUT, NOISE, KEPT, CLEAN = "state", "output", "noise", "kept", "clean"
KINDS = (STATE, OUTPUT, NOISE, KEPT, CLEAN)
ANSWERED = frozenset({OUTPUT, CLEAN})
"""What the model said, and clipped pictures of it."""


class Term(NamedTuple):
    """Something that a scheduler adds up: of this call, or of so many calls ago.

    kind: the noisy picture that the call began with (STATE), what the model said of it (OUTPUT), a picture of
    fresh noise (NOISE), what the scheduler keeps for itself at the end of a call (KEPT, of earlier calls), or
    the clean picture after a clip (CLEAN).
    """

    kind: str
    age: int


@dataclass(frozen=True)
class Combination:
    """What follows a call: a sum of terms, real coefficients by term.

    next: the next call's state. clean: what is clipped to the sampler's limit and is the call's CLEAN term
    then; empty where nothing is clipped. kept: what the call's KEPT term is; empty where nothing is kept.
    """

    next: Mapping[Term, float]
    clean: Mapping[Term, float] = field(default_factory=dict)
    kept: Mapping[Term, float] = field(default_factory=dict)

    @property
    def sums(self) -> tuple[Mapping[Term, float], ...]:
        """All three."""
        return self.next, self.clean, self.kept


@dataclass(frozen=True)
class StepFactors:
    """What a scheduler's coefficients are multiplied by, for each call; noise keeps its own.

    state: of noisy pictures and of what the scheduler keeps. answer: of what the model said (`ANSWERED`).
    Both as long as there are calls.
    """

    state: tuple[float, ...]
    answer: tuple[float, ...]

    def of(self, term: Term, step: int) -> float:
        """What a term of call `step`'s next state is multiplied by."""
        if term.kind == NOISE:
            return 1.0
        return self.answer[step] if term.kind in ANSWERED else self.state[step]


@dataclass(frozen=True)
class Sampler:
    """A scheduler, set to a list of calls.

    inputs: what the state is multiplied by for the model, at each call.
    noise: what standard normal noise is multiplied by to be the first call's state.
    starts: for each call, what a clean latent and noise are multiplied by to begin there; None for a call
        that a picture can't begin with.
    calls: for each call, what follows it where it is the first, the second ... of a picture; the last stands
        for all more. Schedulers that look back do something simpler at first.
    limit: of clean pictures; None where nothing is clipped.
    """

    inputs: tuple[float, ...]
    noise: float
    starts: tuple[tuple[float, float] | None, ...]
    calls: tuple[tuple[Combination, ...], ...]
    limit: float | None

    def __len__(self) -> int:
        return len(self.calls)

    def combination(self, step: int, start: int = 0) -> Combination:
        """What follows a call of a picture that begins with call `start`."""
        ways = self.calls[step]
        return ways[min(step - start, len(ways) - 1)]

    def times(self, factors: StepFactors) -> Sampler:
        """The sampler with other coefficients of each call's next state. factors: of as many calls."""
        calls = tuple(
            tuple(
                replace(way, next={term: value * factors.of(term, step) for term, value in way.next.items()})
                for way in ways
            )
            for step, ways in enumerate(self.calls)
        )
        return replace(self, calls=calls)


class Walk:
    """Pictures on their way from call to call, in real numbers.

    state: what the next call begins with, any shape.
    """

    def __init__(self, sampler: Sampler, state: torch.Tensor) -> None:
        """state: before the first call."""
        self._sampler = sampler
        self._known: dict[str, list[torch.Tensor]] = {kind: [] for kind in KINDS}
        self._known[STATE].append(state)

    def along(self, sampler: Sampler) -> Walk:
        """Pictures that have come as far, and go on by another sampler."""
        other = Walk(sampler, self.states[0])
        other._known = {kind: list(values) for kind, values in self._known.items()}
        return other

    @property
    def state(self) -> torch.Tensor:
        """What the next call begins with."""
        return self._known[STATE][-1]

    @property
    def states(self) -> list[torch.Tensor]:
        """All so far."""
        return self._known[STATE]

    def follow(self, output: torch.Tensor, noise: torch.Tensor) -> None:
        """Goes on by a call. output: what the model said. noise: taken where the scheduler draws any."""
        step = len(self._known[OUTPUT])
        self._known[OUTPUT].append(output)
        self._known[NOISE].append(noise)
        way, limit = self._sampler.combination(step), self._sampler.limit
        # One entry a call, also where nothing is clipped.
        clean = self._sum(way.clean, step)
        self._known[CLEAN].append(clean if limit is None else clean.clamp(-limit, limit))
        following, kept = self._sum(way.next, step), self._sum(way.kept, step)
        self._known[STATE].append(following)
        self._known[KEPT].append(kept)

    def _sum(self, terms: Mapping[Term, float], step: int) -> torch.Tensor:
        parts = (value * self._known[term.kind][step - term.age] for term, value in terms.items())
        return sum(parts, torch.zeros_like(self._known[STATE][0]))
