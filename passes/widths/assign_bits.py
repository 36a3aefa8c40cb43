"""`assign-bits`: each weight and operand has the width that serves the output most, within a budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ...ir.ranks import shared_out
from ...ir.storage.mapped import let_go
from ..base import Decisions, Pass
from ..graph.edit import MILLION, constant, weight_count
from ..manager.registry import register_pass
from .every_width import (
    OPERANDS,
    WEIGHTS,
    bytes_of,
    operands_in_every_width,
    readers_of_weights,
    values_of,
    weight_in_every_width,
)
from .forms import WIDE, Forms, OperandForms, WeightForms, errors_of
from .knapsack import chosen, lightest
from .measured import decibels, outputs_of, samples_of
from .noise_by_call import noise_by_call
from .widened import widened

QUIETEST = 1e-30
"""A share of noise that counts as none."""


@register_pass
@dataclass(frozen=True)
class AssignBits(Pass):
    """Gives weights 2, 3, 4, 8 or 16 bits and operands 4, 6 or 8: within a budget, with the least error.

    MixDQ's and BitsFusion's question, asked of bytes. With S[i, b] what rounding weight i to b bits costs the
    output and n_i its size,

        minimize sum_i sum_b c[i, b] S[i, b]
        where c is binary, sum_b c[i, b] = 1, sum_i sum_b c[i, b] b n_i <= budget

    is solved by dynamic programming; for what layers read likewise, n_i being how many values it has.
    Deviations. MixDQ runs the network once for each layer and width, and judges two kinds of layers by two
    metrics of pictures; here one pass back at each of a few calls tells what all of them cost, as a share of
    the output's energy (`keep-wide`). MixDQ's mean of bits lies within 0.02 of what is asked for; here it is
    never exceeded. A weight that was learned (`gptq`) keeps its codes where it keeps its width; others are
    rounded to nearest, so weights are better learned afterwards.

    budget: megabytes (10^6 bytes) of all weights' codes. weights: the same as a mean of bits, 2 to 16; 0
    where the budget says. activations: the mean of operands' values, 4 to 8 bits; 0 leaves them as they are.
    calls: how many are looked at, evenly spaced. most: millions of weights, beyond which gradients would take
    too much memory: there a weight costs what share of itself rounding changes, as if all layers mattered
    alike.
    """

    budget: float = 0.0
    weights: float = 0.0
    activations: float = 0.0
    calls: int = 3
    most: int = 100

    name: ClassVar[str] = "assign-bits"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        means = self.weights == 0 or WEIGHTS[0] <= self.weights <= WIDE
        means &= self.activations == 0 or OPERANDS[0] <= self.activations <= OPERANDS[-1]
        asked = self.budget > 0 or self.weights or self.activations
        if not asked or self.budget < 0 or (self.budget and self.weights) or not means:
            raise DgqcError(
                "assign-bits takes a budget above 0 MB or weights from 2 to 16 bits, activations from 4 to 8 "
                "bits, or one of the former with the latter."
            )
        if self.calls < 1 or self.most < 1:
            raise DgqcError("assign-bits takes calls and most from 1 on.")

    def decides(self) -> Decisions:
        return {"weight_megabytes": self.budget} if self.budget else {}

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("assign-bits needs calibration samples; give some with --calib.")
        millions = weight_count(program.graph) / MILLION
        if millions <= self.most:
            return self._by_gradients(program)
        if self.activations:
            raise DgqcError(
                f"assign-bits would need gradients of {millions:.0f} million weights to assign activations, "
                f"and is allowed {self.most}; raise most where memory is enough, or leave activations out."
            )
        return self._by_weights_alone(program)

    def _by_gradients(self, program: Program) -> Program:
        samples = samples_of(program, spaced(len(program.schedule), self.calls))
        readers = readers_of_weights(program) if self.budget or self.weights else {}
        weights = [weight_in_every_width(program, name, layers) for name, layers in readers.items()]
        operands = operands_in_every_width(program) if self.activations else ()
        # What was learned makes up for its own errors, which only their sum tells.
        apart = "reconstructed-weights" not in program.facts
        shares = noise_by_call(program, (*weights, *operands), samples, apart)
        places: dict[Forms, int] = {}
        report: dict[str, Any] = {}
        if weights:
            judged = [_judged(one, shares[one].mean(dim=1)) for one in weights]
            found = self._of_weights(judged)
            places |= dict(zip(weights, found, strict=True))
            report |= _reported(judged, found)
        if operands:
            values = values_of(program)
            judged = [_judged_operand(one, shares[one].mean(dim=1), values[one.names[0]]) for one in operands]
            found = self._of_operands(judged)
            places |= dict(zip(operands, found, strict=True))
            mean = _taken(judged, found) / sum(one.count for one in judged)
            report |= {"operand-mean-bits": round(mean, 3)}
            report |= {f"operand-{key}": value for key, value in _listed(judged, found).items()}
        result = widened(program, {one: place for one, place in places.items() if place})
        wanted = outputs_of(program, samples)
        before, after = (decibels(one, samples, wanted).values() for one in (program, result))
        measured = {"before": [round(one, 2) for one in before], "after": [round(one, 2) for one in after]}
        return result.with_report(self.name, measured | report)

    def _by_weights_alone(self, program: Program) -> Program:
        readers = readers_of_weights(program)

        def judged(name: str) -> _Judged:
            forms = weight_in_every_width(program, name, readers[name])
            real = constant(program.graph, _weight_of(readers[name])).detach()
            errors = torch.stack([one.square().sum() for one in errors_of(forms, real).values()])
            found = _judged(forms, errors / real.double().square().sum().clamp(min=QUIETEST))
            let_go(real)
            return found

        every = list(shared_out(judged, list(readers)))
        places = self._of_weights(every)
        changed = {one.name: place for one, place in zip(every, places, strict=True) if place}

        def again(name: str) -> WeightForms:
            plans = weight_in_every_width(program, name, readers[name]).plans
            return WeightForms(name, (plans[0], plans[changed[name]]))

        result = widened(program, dict.fromkeys(shared_out(again, list(changed)), 1))
        return result.with_report(self.name, _reported(every, places) | {"judged-by": "weights alone"})

    def _of_weights(self, judged: Sequence[_Judged]) -> Sequence[int]:
        costs = [one.costs for one in judged]
        if self.weights:
            sizes = [[one.count * bits for bits in one.bits] for one in judged]
            return chosen(sizes, costs, math.floor(self.weights * sum(one.count for one in judged)))
        sizes, allowed = [list(one.sizes) for one in judged], round(self.budget * MILLION)
        if (least := lightest(sizes)) > allowed:
            raise DgqcError(
                f"assign-bits has a budget of {self.budget:g} MB, but with {WEIGHTS[0]} bits each the "
                f"weights take {least / MILLION:.4g} MB; give as much or more."
            )
        return chosen(sizes, costs, allowed)

    def _of_operands(self, judged: Sequence[_Judged]) -> Sequence[int]:
        sizes = [one.sizes for one in judged]
        values = sum(one.count for one in judged)
        if (least := lightest(sizes)) > (allowed := math.floor(self.activations * values)):
            raise DgqcError(
                f"assign-bits is to leave {self.activations:g} bits an operand's value, but some ranges lie "
                f"too far from 0 for few bits; give {math.ceil(100 * least / values) / 100:g} or more."
            )
        return chosen(sizes, [one.costs for one in judged], allowed)


@dataclass(frozen=True)
class _Judged:
    """A weight or an operand: how many values it has, what each form takes (bytes, or bits of values), and
    costs the output."""

    name: str
    count: int
    bits: Sequence[int]
    sizes: Sequence[int]
    costs: Sequence[float]


def _weight_of(layers: Sequence[fx.Node]) -> fx.Node:
    weight = layers[0].args[1]
    assert isinstance(weight, fx.Node)
    return weight


def _judged(forms: WeightForms, costs: torch.Tensor) -> _Judged:
    count = forms.plans[0][0].codes.numel()
    sizes = [bytes_of(form) for form in forms.plans]
    return _Judged(forms.name, count, forms.bits, sizes, costs.tolist())


def _judged_operand(forms: OperandForms, costs: torch.Tensor, values: int) -> _Judged:
    """Without its last form, the 16-bit value."""
    bits = forms.bits[:-1]
    return _Judged(forms.names[0], values, bits, [one * values for one in bits], costs.tolist()[:-1])


def _taken(judged: Sequence[_Judged], places: Sequence[int]) -> int:
    return sum(one.sizes[place] for one, place in zip(judged, places, strict=True))


def _reported(judged: Sequence[_Judged], places: Sequence[int]) -> dict[str, Any]:
    """Of weights."""
    bits = sum(one.count * one.bits[place] for one, place in zip(judged, places, strict=True))
    mean = bits / sum(one.count for one in judged)
    size = {"megabytes": round(_taken(judged, places) / MILLION, 6), "mean-bits": round(mean, 3)}
    return size | _listed(judged, places)


def _listed(judged: Sequence[_Judged], places: Sequence[int]) -> dict[str, Mapping[str, Any]]:
    """What was chosen, and how far below the output's energy the error of each width is, in dB."""
    return {
        "bits": {one.name: one.bits[place] for one, place in zip(judged, places, strict=True)},
        "sensitivities": {
            one.name: {
                str(bits): round(-10 * math.log10(max(cost, QUIETEST)), 1)
                for bits, cost in sorted(zip(one.bits, one.costs, strict=True))
            }
            for one in judged
        },
    }
