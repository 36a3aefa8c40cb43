"""`correct-schedule`: two coefficients of the scheduler at each call, fitted to the quantized network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ...ir.sampler import Sampler, StepFactors, Walk
from ..base import Pass
from ..manager.registry import register_pass
from .pictures import both_networks

STAYING = 1e-4
"""Of what a part weighs: how much it costs that its factor leaves 1. Parts that hardly differ, or hardly
count, can't tell their factors."""
FACTOR_BITS = 20
"""Finer than a loop's tables need, and coarse enough to be the same on every machine."""
Pair = tuple[float, float]


@register_pass
@dataclass(frozen=True)
class CorrectSchedule(Pass):
    """Multiplies what the scheduler takes of the noisy picture, and of the network's answer, at each call.

    Q-Sched (ICML 2026), two coefficients a step that fit the scheduler to the quantized model. A scheduler's
    step is x' = s x + e y + noise, of the noisy picture x and the answer y (or a clipped picture of it); here

        x'^ = a s x^ + b e y^ + noise,    (a, b) = argmin sum (x' - x'^)^2

    x', x, y: of the float network's pictures; x'^, x^, y^: of the quantized one's own, with all earlier calls
    corrected already. Sums are over pixels, channels and pictures, from the same noise.

    Deviations. Q-Sched's coefficients are searched for by judges of finished pictures; these are least
    squares against the float model's, so that nothing is learned and no reference is needed but the samples.
    Terms of earlier calls, where a scheduler has some, go with a or b as theirs did.

    Costs nothing at run time: a loop's tables have other numbers. A program without a loop is refused, since
    a pipeline's scheduler is the pipeline's.

    samples: of the first call, from which pictures begin.
    """

    samples: int = 16

    name: ClassVar[str] = "correct-schedule"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise DgqcError(f"correct-schedule takes samples from 1 on, not {self.samples}.")

    def run(self, program: Program) -> Program:
        if program.step_factors is not None:
            raise DgqcError("The schedule is corrected already; leave one of the two passes out.")
        factors = fitted_factors(program, self.samples, self.name)
        report = {"state": list(factors.state), "answer": list(factors.answer)}
        return replace(program, step_factors=factors).with_report(self.name, report)


def fitted_factors(program: Program, samples: int, who: str) -> StepFactors:
    """Factors of each call, fitted one after the other: earlier calls are corrected already.

    Arguments and errors are those of `both_networks`.
    """
    both = both_networks(program, samples, who)
    sampler, real, quantized = both.sampler, both.walk(), both.walk()
    found: list[Pair] = []
    for step, noise in both.calls():
        wanted = both.wanted(both.seen(real, step), step)
        answer = both.answer(both.seen(quantized, step), step)
        real.follow(both.told(wanted), noise)
        given = both.told(answer), noise
        bare, with_state, with_answer = (
            _followed(quantized, sampler, [*found, pair], given) for pair in ((0, 0), (1, 0), (0, 1))
        )
        found.append(least_squares(real.state - bare, with_state - bare, with_answer - bare))
        quantized = quantized.along(sampler.times(_factors(found, len(sampler))))
        quantized.follow(*given)
    return _factors(found, len(sampler))


def least_squares(wanted: torch.Tensor, state: torch.Tensor, answer: torch.Tensor) -> Pair:
    """(a, b) of wanted ~ a state + b answer; 1 for what has no part in it. All of one shape."""
    parts = torch.stack([state.double().flatten(), answer.double().flatten()])
    missing = wanted.double().flatten() - parts.sum(dim=0)
    products = parts @ parts.T
    weights = products.diagonal()
    # Of a part that is nothing the factor stays.
    held = products + torch.diag(torch.where(weights > 0, STAYING * weights, 1.0))
    moved = torch.linalg.solve(held, parts @ missing)
    state_factor, answer_factor = (torch.round((1 + moved) * 2**FACTOR_BITS) / 2**FACTOR_BITS).tolist()
    return state_factor, answer_factor


def _followed(
    walk: Walk, sampler: Sampler, found: Sequence[Pair], given: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """The next state with these factors; the walk stays where it is."""
    other = walk.along(sampler.times(_factors(found, len(sampler))))
    other.follow(*given)
    return other.state


def _factors(found: Sequence[Pair], calls: int) -> StepFactors:
    """Those that are known; 1 for later calls."""
    state, answer = zip(*found, *[(1.0, 1.0)] * (calls - len(found)), strict=True)
    return StepFactors(tuple(map(float, state)), tuple(map(float, answer)))
