"""`assign-bits`: each weight has the width that serves the output most, within a budget of bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...ir.calibration import spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import Weight
from ...ir.program import Program
from ..base import Pass
from ..graph.edit import MILLION, constant, weight_count
from ..manager.registry import register_pass
from ..weights.quantize_weights import RangeMethod, round_to_nearest
from .forms import BYTE, WeightForms, weight_forms
from .knapsack import chosen, lightest
from .measured import decibels, outputs_of, samples_of
from .noise_by_call import noise_by_call
from .widened import widened

NIBBLE = 4
"""Bits of the narrowest stored codes."""
QUIETEST = 1e-30
"""A share of noise that counts as none."""


@register_pass
@dataclass(frozen=True)
class AssignBits(Pass):
    """Gives weights 4, 8 or 16 bits: together at most so many bytes, with the least error of the output.

    MixDQ's and BitsFusion's question, asked of bytes. With S[i, b] what rounding weight i to b bits costs the
    output and n_i its size,

        minimize sum_i sum_b c[i, b] S[i, b]
        where c is binary, sum_b c[i, b] = 1, sum_i sum_b c[i, b] b n_i <= budget

    is solved by dynamic programming. Deviations. MixDQ runs the network once for each layer and width, and
    judges two kinds of layers by two metrics of pictures; here one pass back at each of a few calls tells
    what all weights cost, as a share of the output's energy (`keep-wide`). MixDQ's mean of bits lies within
    0.02 of what is asked for; here a budget is never exceeded. Activations take no bytes and stay as they
    are. A weight that was learned (`gptq`) keeps its codes where it keeps its width; others are rounded to
    nearest.

    budget: megabytes (10^6 bytes) of all weights' codes. calls: how many are looked at, evenly spaced. most:
    millions of weights, beyond which gradients would take too much memory.
    """

    budget: float
    calls: int = 3
    most: int = 100

    name: ClassVar[str] = "assign-bits"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        if not self.budget > 0 or self.calls < 1 or self.most < 1:
            raise DgqcError("assign-bits takes a budget above 0 MB, and calls and most from 1 on.")

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("assign-bits needs calibration samples; give some with --calib.")
        if (millions := weight_count(program.graph) / MILLION) > self.most:
            raise DgqcError(
                f"assign-bits would need gradients of {millions:.0f} million weights, and is allowed "
                f"{self.most}; raise most where memory is enough, or leave it out."
            )
        forms = [with_every_width(program, one) for one in weight_forms(program)]
        sizes = [[stored_bytes(form) for form in one.plans] for one in forms]
        if (least := lightest(sizes)) > round(self.budget * MILLION):
            raise DgqcError(
                f"assign-bits has a budget of {self.budget:g} MB, but with {NIBBLE} bits each the weights "
                f"take {least / MILLION:.4g} MB; give as much or more."
            )
        samples = samples_of(program, spaced(len(program.schedule), self.calls))
        shares = noise_by_call(program, forms, samples)
        costs = [shares[one].mean(dim=1).tolist() for one in forms]
        places = dict(zip(forms, chosen(sizes, costs, round(self.budget * MILLION)), strict=True))
        result = widened(program, {one: place for one, place in places.items() if place})
        wanted = outputs_of(program, samples)
        before, after = (decibels(one, samples, wanted).values() for one in (program, result))
        taken = sum(size[places[one]] for one, size in zip(forms, sizes, strict=True))
        report: dict[str, Any] = {
            "megabytes": round(taken / MILLION, 6),
            "before": [round(one, 2) for one in before],
            "after": [round(one, 2) for one in after],
            "bits": {one.name: one.bits[place] for one, place in places.items()},
            "sensitivities": _in_decibels(forms, costs),
        }
        return result.with_report(self.name, report)


def with_every_width(program: Program, forms: WeightForms) -> WeightForms:
    """The weight as it is, then in the other widths: 4 bits, bytes, two bytes where these can be added up."""
    (node,) = (n for n in program.graph.graph.nodes if n.op == "get_attr" and n.target == forms.name)
    real, own = constant(program.graph, node).detach(), forms.plans[0][0]
    found: list[tuple[Weight, ...]] = [forms.plans[0]]
    if own.bits > NIBBLE:
        found.append((round_to_nearest(real, NIBBLE, RangeMethod.MSE),))
    if own.bits < BYTE:
        found.append((round_to_nearest(real, BYTE, RangeMethod.MSE),))
    return WeightForms(forms.name, (*found, *(form for form in forms.plans if len(form) > 1)))


def stored_bytes(form: Sequence[Weight]) -> int:
    """Of the codes of all parts."""
    return sum(math.ceil(one.codes.numel() * (NIBBLE if one.bits <= NIBBLE else BYTE) / BYTE) for one in form)


def _in_decibels(
    forms: Sequence[WeightForms], costs: Sequence[Sequence[float]]
) -> Mapping[str, Mapping[str, float]]:
    """How far below the output's energy each width's error is, by weight."""
    return {
        one.name: {
            str(bits): round(-10 * math.log10(max(cost, QUIETEST)), 1)
            for bits, cost in zip(one.bits, each, strict=True)
        }
        for one, each in zip(forms, costs, strict=True)
    }
