"""How large a sampler's states can become, whatever a model says: bounds that units are chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..ir.arithmetic.noise import NOISE_BITS
from ..ir.denoising import OUTPUT_BITS, OUTPUT_LIMIT
from ..ir.sampler import CLEAN, KEPT, NOISE, OUTPUT, STATE, Sampler, Term

LARGEST_NOISE = 2.0 ** (15 - NOISE_BITS)
"""Noise and latents are int16."""


@dataclass(frozen=True)
class StateRanges:
    """Absolute maxima. states: before each call, and after the last. kepts: after each call."""

    states: tuple[float, ...]
    kepts: tuple[float, ...]


def ranges_of(sampler: Sampler, output_scales: Sequence[float]) -> StateRanges:
    """The ranges, over all calls that a picture may begin with. output_scales: of an output's code, by call.

    Every state is a sum of what a picture began with and of all outputs, noise and clean pictures so far; the
    sum of its coefficients' magnitudes, each times what its symbol can be, is a bound that is reached.
    """
    count = len(sampler)
    states, kepts = [0.0] * (count + 1), [0.0] * count
    largest = [scale * 2.0**-OUTPUT_BITS * OUTPUT_LIMIT for scale in output_scales]
    for start, begin in enumerate(sampler.starts):
        first = LARGEST_NOISE * sum(abs(one) for one in begin or ())
        if start == 0:
            first = max(first, LARGEST_NOISE * abs(sampler.noise))
        elif begin is None:
            continue
        held = _Held(count, first, largest, sampler.limit or 0.0)
        for step in range(start, count):
            one = sampler.combination(step, start)
            held.follow(step, one.sums)
            kepts[step] = max(kepts[step], held.bound(KEPT, step))
        for step in range(start, count + 1):
            states[step] = max(states[step], held.bound(STATE, step) if step > start else first)
    return StateRanges(tuple(states), tuple(kepts))


class _Held:
    """States of one picture as coefficients of its symbols: the beginning, then outputs, noise and clean
    pictures of each call."""

    def __init__(self, calls: int, first: float, outputs: Sequence[float], limit: float) -> None:
        self._calls, self._first = calls, first
        self._most = torch.tensor(
            [first, *outputs, *[LARGEST_NOISE] * calls, *[limit] * calls], dtype=torch.float64
        )
        self._known: dict[tuple[str, int], torch.Tensor] = {}

    def follow(self, step: int, sums: tuple[Mapping[Term, float], ...]) -> None:
        """Adds what follows a call."""
        if (STATE, step) not in self._known:
            self._known[STATE, step] = self._symbol(0)
        following, _, kept = sums
        # Noted together, since both are made of what was before.
        self._known[STATE, step + 1], self._known[KEPT, step] = (
            self._sum(following, step),
            self._sum(kept, step),
        )

    def bound(self, kind: str, step: int) -> float:
        """The largest magnitude."""
        return float((self._known[kind, step].abs() * self._most).sum())

    def _sum(self, terms: Mapping[Term, float], step: int) -> torch.Tensor:
        total = torch.zeros_like(self._most)
        for term, value in terms.items():
            total += value * self._value(term.kind, step - term.age)
        return total

    def _value(self, kind: str, step: int) -> torch.Tensor:
        if kind in (STATE, KEPT):
            return self._known[kind, step]
        part = {OUTPUT: 0, NOISE: 1, CLEAN: 2}[kind]
        return self._symbol(1 + part * self._calls + step)

    def _symbol(self, place: int) -> torch.Tensor:
        symbol = torch.zeros_like(self._most)
        symbol[place] = 1
        return symbol
