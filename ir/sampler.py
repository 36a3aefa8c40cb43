"""What a scheduler does between a program's calls, as real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

STATE, OUTPUT, NOISE, KEPT, CLEAN = "state", "output", "noise", "kept", "clean"
KINDS = (STATE, OUTPUT, NOISE, KEPT, CLEAN)


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
