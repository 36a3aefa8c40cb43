"""A sampler's real numbers as integer tables, each state in a unit that its proved range allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..ir.arithmetic.fixed_point import ACCUMULATOR_LIMIT, multiplier
from ..ir.arithmetic.noise import NOISE_BITS
from ..ir.denoising import MOST_TERMS, OUTPUT_BITS, OUTPUT_LIMIT, DenoisingLoop, Labels
from ..ir.errors import DgqcError
from ..ir.sampler import CLEAN, KEPT, KINDS, NOISE, OUTPUT, STATE, Sampler, Term
from .loop_ranges import StateRanges, ranges_of

MOST_BITS = 28
"""Behind a state's binary point."""
HELD = {STATE: 2**31, KEPT: 2**31, CLEAN: 2**31, OUTPUT: OUTPUT_LIMIT, NOISE: 2**15}
"""The largest magnitude of each kind of term, in integers."""


def tabulate(
    sampler: Sampler, sample_scale: torch.Tensor, output_scale: torch.Tensor, labels: Labels | None = None
) -> DenoisingLoop:
    """The sampler's integer tables. Scales: float64 (T,), what one int16 step of sample and output is worth.

    Raises OverflowError where a factor has no mantissa of its width, DgqcError for too many terms.
    """
    units = _Units(sampler, output_scale.tolist(), ranges_of(sampler, output_scale.tolist()))
    depths = _depths(sampler)
    if sum(depths.values()) > MOST_TERMS:
        raise DgqcError(
            f"The scheduler adds up {sum(depths.values())} pictures a call, but a loop adds {MOST_TERMS} at "
            "most; give another scheduler, or compile without a loop."
        )
    rows, ways = _rows(sampler)
    # Terms in their order, by how far they lie back.
    terms = [Term(kind, age + (kind == KEPT)) for kind in KINDS for age in range(depths[kind])]
    sums = _Sums(terms, units)
    ways_of = [(step, sampler.calls[step][age]) for step, age in rows]
    following = [sums.row(one.next, step, units.state[step + 1]) for step, one in ways_of]
    clean = [sums.row(one.clean, step, units.clean) for step, one in ways_of] if depths[CLEAN] else []
    kept = [sums.row(one.kept, step, units.kept[step]) for step, one in ways_of] if depths[KEPT] else []
    begins = [_begin(sampler, units, step) for step in range(len(sampler))]
    inputs = torch.tensor(sampler.inputs, dtype=torch.float64) * torch.tensor(
        units.state[:-1], dtype=torch.float64
    )
    sample_factor, sample_shift = multiplier(inputs / sample_scale.to(torch.float64), bits=30)
    first, last = sampler.noise * 2.0**-NOISE_BITS / units.state[0], units.state[-1] * 2.0**NOISE_BITS
    (first_factor, last_factor), (first_shift, last_shift) = (
        part.tolist() for part in multiplier(torch.tensor([first, last], dtype=torch.float64), bits=30)
    )
    tables = [_table(rows, len(terms)) for rows in (following, clean, kept)]
    begin_latent, begin_noise, begin_shift = (_integers([one[part] for one in begins]) for part in range(3))
    states, outputs, noises, kepts, cleans = (depths[kind] for kind in KINDS)
    return DenoisingLoop(
        sample_factor=sample_factor,
        sample_shift=sample_shift,
        begin_latent=begin_latent,
        begin_noise=begin_noise,
        begin_shift=begin_shift,
        noise_of=_integers(_noise_numbers(sampler)),
        ways=_integers(ways),
        next=tables[0][0],
        next_shift=tables[0][1],
        clean=tables[1][0],
        clean_shift=tables[1][1],
        kept=tables[2][0],
        kept_shift=tables[2][1],
        first_factor=first_factor,
        first_shift=first_shift,
        last_factor=last_factor,
        last_shift=last_shift,
        states=states,
        outputs=outputs,
        noises=noises,
        kepts=kepts,
        cleans=cleans,
        limit=0 if sampler.limit is None else round(sampler.limit / units.clean),
        labels=labels,
    )


class _Units:
    """What an integer of each state, output and so on is worth."""

    def __init__(self, sampler: Sampler, output_scales: Sequence[float], ranges: StateRanges) -> None:
        """output_scales: of each call."""
        self.state = [unit_of(bound) for bound in ranges.states]
        self.kept = [unit_of(bound) for bound in ranges.kepts]
        self.clean = unit_of(sampler.limit or 1.0)
        self.output = [scale * 2.0**-OUTPUT_BITS for scale in output_scales]

    def of(self, term: Term, step: int) -> float:
        """Of a term as call `step` sees it."""
        at = step - term.age
        by_call = {STATE: self.state, OUTPUT: self.output, KEPT: self.kept}
        if term.kind in by_call:
            return by_call[term.kind][at]
        return self.clean if term.kind == CLEAN else 2.0**-NOISE_BITS


def unit_of(bound: float) -> float:
    """The smallest power of two in which the bound stays below 2^31."""
    bits = math.floor(31 - math.log2(max(bound, 1e-30)) - 1e-6)
    return 2.0 ** -min(MOST_BITS, bits)


@dataclass(frozen=True)
class _Sums:
    terms: Sequence[Term]
    units: _Units

    def row(self, wanted: Mapping[Term, float], step: int, unit: float) -> tuple[list[int], int]:
        """Factors of all terms and their shift, as fine as 64 bits allow."""
        reals = [
            wanted[term] * self.units.of(term, step) / unit if term in wanted else 0.0 for term in self.terms
        ]
        return whole(reals, [HELD[term.kind] for term in self.terms])


def whole(reals: Sequence[float], held: Sequence[int]) -> tuple[list[int], int]:
    """Real factors as integers below 2^31 with a shift of 1 .. 62, so that the sum of products with what is
    held stays below 2^61. Raises OverflowError where there is no such shift."""
    for shift in range(62, 0, -1):
        factors = [round(math.ldexp(real, shift)) for real in reals]
        largest = sum(abs(factor) * most for factor, most in zip(factors, held, strict=True))
        if largest < ACCUMULATOR_LIMIT // 2 and all(abs(factor) < 2**31 for factor in factors):
            return factors, shift
    raise OverflowError("a sum's factors are too large for 64 bits")


def _depths(sampler: Sampler) -> dict[str, int]:
    """How many terms of each kind there are; one each of what every call has."""
    depths = {STATE: 1, OUTPUT: 1, NOISE: 0, KEPT: 0, CLEAN: 0 if sampler.limit is None else 1}
    for ways in sampler.calls:
        for term in (term for one in ways for terms in one.sums for term in terms):
            depths[term.kind] = max(depths[term.kind], term.age + (term.kind != KEPT))
    return {kind: depths[kind] for kind in KINDS}


def _rows(sampler: Sampler) -> tuple[list[tuple[int, int]], list[list[int]]]:
    """Which ways of which calls the tables' rows are, and each call's rows."""
    longest = max(len(ways) for ways in sampler.calls)
    rows = [(step, age) for step, ways in enumerate(sampler.calls) for age in range(len(ways))]
    number = {row: place for place, row in enumerate(rows)}
    return rows, [
        [number[step, min(age, len(ways) - 1)] for age in range(longest)]
        for step, ways in enumerate(sampler.calls)
    ]


def _begin(sampler: Sampler, units: _Units, step: int) -> tuple[int, int, int]:
    """Factors of a latent and of noise, and their shift: 0 where no picture can begin."""
    begin = sampler.starts[step]
    if begin is None:
        return 0, 0, 0
    reals = [one * 2.0**-NOISE_BITS / units.state[step] for one in begin]
    (latent, noise), shift = whole(reals, [HELD[NOISE]] * 2)
    return latent, noise, shift


def _noise_numbers(sampler: Sampler) -> list[int]:
    """Which picture of noise each call draws; the first is what a drawing begins with."""
    count = len(sampler)
    draws = {
        step - term.age
        for step in range(count)
        for one in sampler.calls[step]
        for terms in one.sums
        for term in terms
        if term.kind == NOISE
    }
    numbers = {step: place + 1 for place, step in enumerate(sorted(draws))}
    return [numbers.get(step, 0) for step in range(count)]


def _table(rows: Sequence[tuple[list[int], int]], terms: int) -> tuple[torch.Tensor, torch.Tensor]:
    factors = _integers([row for row, _ in rows]).reshape(len(rows), terms)
    return factors, _integers([shift for _, shift in rows])


def _integers(values: Sequence[int] | Sequence[Sequence[int]]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)
