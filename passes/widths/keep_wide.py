"""`keep-wide`: what costs the network's output most keeps more bits."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from ...ir.calibration import spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ..activations.by_picture import count_pictures
from ..base import Pass
from ..graph.edit import MILLION, weight_count
from ..manager.registry import register_pass
from .choose_widths import widths
from .forms import Forms, OperandForms, WeightForms, operand_forms, weight_forms
from .measured import Sample, decibels, outputs_of, samples_of
from .noise_by_call import noise_by_call
from .price import price
from .widened import widened

log = logging.getLogger("dgqc")

CLOSE = 1.5
"""In dB, how much better than asked is close enough, and the least step of what gradients are to foretell."""
ROUNDS = 6
"""How often another choice is tried where the network measured is not what its gradients foretold."""


@register_pass
@dataclass(frozen=True)
class KeepWide(Pass):
    """Leaves the operands and weights that cost the output most in wider codes, until it is as good as asked.

    In some trained networks a large value in the last blocks all but cancels, and what is left of it is the
    picture: a few layers of hundreds then decide, and eight bits are too few for them. First the network is
    simulated at some calls: unless its signal to noise is `poor`, nothing changes. Else one pass back gives
    what rounding costs at each layer, and the costliest take the next wider form until their sum is small
    enough: operands bytes, then the 16-bit value itself; weights rounding to nearest (which may be better
    than what was learned from few samples), bytes, then a second byte, as a product of its own that is added.
    The result is simulated again: more is widened where gradients foretold too much, and less where they
    foretold too little; of all choices that are good enough the one that widens least is taken.

    Where samples are few, other pictures lose more than these: a value that rounding costs much of is the
    one that clipping does, too, and the 16-bit value has room. Then a call that is not `enough` asks for
    more. Networks of a single call, as decoders are, stay out of that: their errors don't add up.

    poor: signal to noise of the output in dB below which a call asks for more; enough: what each call has
    then. few: of fewer pictures, what is below `enough` is poor. calls: how many are looked at, evenly
    spaced. most: millions of weights; models with more are left as they are, since gradients take memory.
    """

    poor: float = 28.0
    enough: float = 38.0
    few: int = 0
    calls: int = 3
    most: int = 100

    name: ClassVar[str] = "keep-wide"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        if self.calls < 1 or self.most < 0:
            raise DgqcError("keep-wide takes calls from 1 and most from 0 on.")

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("keep-wide needs calibration samples; give some with --calib.")
        millions = weight_count(program.graph) / MILLION
        if millions > self.most:
            log.info("keep-wide leaves %.0f million weights as they are.", millions)
            return program.with_report(self.name, {"millions": round(millions), "most": self.most})
        steps = spaced(len(program.schedule), self.calls)
        samples = samples_of(program, steps)
        wanted = outputs_of(program, samples)
        before = decibels(program, samples, wanted)
        report: dict[str, Any] = {"calls": steps, "before": _rounded(before)}
        few = len(program.schedule) > 1 and count_pictures(program.calibration, steps[0]) < self.few
        if min(before.values()) >= (self.enough if few else self.poor):
            return program.with_report(self.name, report)
        noise = noise_by_call(program, (*operand_forms(program), *weight_forms(program)), samples)
        tried = self._search(program, noise, samples, wanted, before)
        report |= {"after": _rounded(tried.measured), **_listed(tried.chosen), "of": _counted(noise)}
        report |= price(program, tried.program)
        if tried.least < self.enough:
            log.warning(
                "keep-wide reached %.1f dB of %g with %d operands and weights in wider codes.",
                tried.least,
                self.enough,
                len(tried.chosen),
            )
        return tried.program.with_report(self.name, report)

    def _search(
        self,
        program: Program,
        noise: Mapping[Forms, torch.Tensor],
        samples: Mapping[int, Sequence[Sample]],
        wanted: Mapping[int, torch.Tensor],
        before: Mapping[int, float],
    ) -> _Tried:
        """Halves the interval of what gradients are to foretell, from where they are as wrong as before."""
        foretold = -10 * torch.stack([table[0] for table in noise.values()]).sum(dim=0).log10()
        goal = self.enough + float((foretold - torch.tensor([*before.values()])).min())
        below, above = -math.inf, math.inf
        best: _Tried | None = None
        for _ in range(ROUNDS):
            chosen = widths(noise, 10 ** (-goal / 10))
            result = widened(program, chosen)
            tried = _Tried(chosen, result, decibels(result, samples, wanted))
            spare = tried.least - self.enough
            if best is None or _better(tried, best, self.enough):
                best = tried
            if 0 <= spare <= CLOSE or (spare > 0 and not chosen):
                break
            below, above = (below, goal) if spare > 0 else (goal, above)
            step = goal - (spare if spare > 0 else min(spare, -CLOSE))
            goal = (below + above) / 2 if math.isfinite(below + above) else step
        assert best is not None
        return best


@dataclass(frozen=True)
class _Tried:
    """A choice of forms, the program with them, and what it measures at each call, in dB."""

    chosen: Mapping[Forms, int]
    program: Program
    measured: Mapping[int, float]

    @property
    def least(self) -> float:
        return min(self.measured.values())


def _better(one: _Tried, other: _Tried, enough: float) -> bool:
    """Fewer widened where both are good enough, else the one that is, or comes closer."""
    if one.least >= enough and other.least >= enough:
        return len(one.chosen) < len(other.chosen)
    return one.least > other.least


def _rounded(found: Mapping[int, float]) -> list[float]:
    return [round(one, 2) for one in found.values()]


def _counted(forms: Collection[Forms]) -> Mapping[str, int]:
    """How many operands and weights there are in all, as the report names them."""
    operands = sum(len(one.names) for one in forms if isinstance(one, OperandForms))
    weights = sum(isinstance(one, WeightForms) for one in forms)
    return {"operands": operands, "weights": weights}


def _listed(chosen: Mapping[Forms, int]) -> dict[str, dict[str, int]]:
    """Bits of what was widened, by name, for the report."""
    operands = {
        name: one.bits[place]
        for one, place in chosen.items()
        if isinstance(one, OperandForms)
        for name in one.names
    }
    weights = {one.name: one.bits[place] for one, place in chosen.items() if isinstance(one, WeightForms)}
    return {"wide-operands": operands, "wide-weights": weights}
