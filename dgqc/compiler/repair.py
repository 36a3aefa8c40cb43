"""Compiling until a program is as close to its float model as it should be, or the budget is spent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..execution.compiled_program import CompiledProgram
from ..frontends.calibrating.held_out import hold_out
from ..ir.calibration import Calibration
from ..ir.ranks import agreed
from ..report.quality import Quality
from .checking import check, with_quality
from .prepare import recorded_of
from .remedies import Remedy, remedies
from .request import Request

log = logging.getLogger("dgqc")

WORTH_DB = 0.5
"""What a change has to gain to be kept."""


@dataclass(frozen=True)
class Attempt:
    """A compiled program, what it was asked for, and how close it is. tried: options, with what each gave."""

    request: Request
    compiled: CompiledProgram
    quality: Quality
    tried: tuple[tuple[str, float], ...] = ()

    def left(self) -> list[Remedy]:
        """Changes that were not tried."""
        found = remedies(self.request, tuple(self.quality.weakest))
        return [one for one in found if one.option not in dict(self.tried)]

    def warning(self) -> str | None:
        """What to do where the bound isn't met."""
        if self.quality.kept:
            return None
        left = [one.option for one in self.left()]
        layers = ", ".join(f"{path} ({db:.1f} dB)" for path, db in self.quality.weakest.items())
        lost = f" Most is lost in {layers}." if layers else ""
        advice = f" Try {', or '.join(left)}; --repair does." if left else " Nothing is left to be changed."
        return (
            f"{self.quality.least:.1f} dB is less than the {self.quality.bound:g} dB expected of "
            f"{self.request.opt}: look at its pictures before you trust it.{lost}{advice}"
        )


Build = Callable[[Request], tuple[CompiledProgram, Calibration | None]]
"""Compiles a request; gives the samples that it was calibrated with, too."""


def checked(request: Request, build: Build, bound: float | None = None) -> Attempt:
    """Compiles and checks. bound: decibels; None takes the request's, or those for the program's widths."""
    held_out, asked = None, request
    if request.calibration is not None:
        kept, held_out = hold_out(recorded_of(request.calibration))
        asked = replace(request, calibration=kept)
    compiled, calibration = build(asked)
    expected = request.least if bound is None else bound
    quality = agreed(lambda: check(request, compiled, calibration, held_out=held_out, bound=expected))
    return Attempt(request, with_quality(compiled, quality), quality)


def repaired(first: Attempt, build: Build) -> Attempt:
    """Makes one change after the other, and keeps those that gain, until the bound is met.

    As many are tried as the request's budget says: how long that takes depends on the machine, and what
    comes out must not. The bound stays that of the first program. Says each step.
    """
    best, budget = first, first.request.budget
    while not best.quality.kept and len(best.tried) < budget and (left := best.left()):
        best = _tried(best, left[0], build)
    if not best.quality.kept:
        why = f"the budget of {budget} changes is spent" if best.left() else "nothing is left to be changed"
        log.warning("The bound of %g dB is not met, and %s.", best.quality.bound, why)
    return best


def _tried(best: Attempt, remedy: Remedy, build: Build) -> Attempt:
    """The better of a program and of its changed form."""
    log.info("%.1f dB; trying %s.", best.quality.least, remedy.option)
    begun = time.monotonic()
    found = checked(remedy.request, build, best.quality.bound)
    tried = (*best.tried, (remedy.option, found.quality.least))
    gained = found.quality.least - best.quality.least
    log.info(
        "%s: %+.1f dB, %s, after %.1f minutes.",
        remedy.option,
        gained,
        "kept" if gained >= WORTH_DB else "not kept",
        (time.monotonic() - begun) / 60,
    )
    return replace(found if gained >= WORTH_DB else best, tried=tried)
