"""In which other forms an operand or a weight can be, each finer than the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx

from ...ir.ops.captured import is_layer
from ...ir.plans import QuantizedActivation16, QuantizedOperand, Role, Weight
from ...ir.program import Program
from ..activations.timestep_tables import LARGEST_ZERO
from ..graph.edit import constant, dgqc
from ..weights.quantize_weights import RangeMethod, round_to_nearest
from .same_values import same_values

BYTE = 8
"""Bits of the widest codes."""
WIDE = 16
"""Bits of a value that is left as it flows between products."""


@dataclass(frozen=True, eq=False)
class OperandForms:
    """Sites of one value, and how they could be coded: as they are, as bytes, as the 16-bit value itself.

    plans: of the forms with codes; the last form has none. names: of the sites.
    """

    names: tuple[str, ...]
    plans: tuple[QuantizedOperand, ...]

    @property
    def bits(self) -> tuple[int, ...]:
        """Of each form."""
        return (*(plan.operand.bits for plan in self.plans), WIDE)


@dataclass(frozen=True, eq=False)
class WeightForms:
    """A weight as it is, rounded to nearest, in bytes, in two bytes: the second rounds what the first left.

    plans: of each form, the parts that are added up.
    """

    name: str
    plans: tuple[tuple[Weight, ...], ...]

    @property
    def bits(self) -> tuple[int, ...]:
        """Of each form, all parts together."""
        return tuple(sum(part.bits for part in form) for form in self.plans)


Forms = OperandForms | WeightForms


def operand_forms(program: Program) -> Sequence[OperandForms]:
    """Of every value that layers read as codes."""
    same = same_values(program.graph.graph, program.plans)
    sites: dict[fx.Node, list[str]] = {}
    for node in program.graph.graph.nodes:
        plan = program.plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
        layers = isinstance(plan, QuantizedOperand) and plan.operand.role in (Role.LINEAR, Role.CONVOLUTION)
        if layers and all(is_layer(user) for user in node.users):
            sites.setdefault(same[node], []).append(str(node.args[1]))
    found = []
    for names in sites.values():
        plan = program.plans[names[0]]
        assert isinstance(plan, QuantizedOperand)
        bytes_ = in_bytes(plan)
        found.append(OperandForms(tuple(names), (plan,) if bytes_ is None else (plan, bytes_)))
    return found


def in_bytes(plan: QuantizedOperand) -> QuantizedOperand | None:
    """The same ranges in codes of 8 bits; None where they are, or where a zero would lie too far away."""
    return None if plan.operand.bits >= BYTE else in_bits(plan, BYTE)


def in_bits(plan: QuantizedOperand, bits: int) -> QuantizedOperand | None:
    """The same ranges in codes of so many bits; None where a zero would lie too far away."""
    finer = (2**bits - 1) / (2**plan.operand.bits - 1)
    zero = torch.round(plan.zero.double() * finer).to(torch.int64)
    if int(zero.abs().max()) > LARGEST_ZERO:
        return None
    return replace(plan, operand=replace(plan.operand, bits=bits), base=plan.base / finer, zero=zero)


def weight_forms(program: Program) -> Sequence[WeightForms]:
    """Of every weight of a layer."""
    graph = program.graph
    readers: dict[str, list[fx.Node]] = {}
    for node in graph.graph.nodes:
        if is_layer(node):
            readers.setdefault(str(node.args[1].target), []).append(node)
    found = []
    for name, layers in readers.items():
        plan = program.plans.get(name)
        if isinstance(plan, Weight):
            real = constant(graph, layers[0].args[1]).detach()  # type: ignore[arg-type]
            parted = len(layers) == 1 and output_site(layers[0], program) is not None
            found.append(WeightForms(name, tuple(_forms(real, plan, parted))))
    return found


def output_site(layer: fx.Node, program: Program) -> fx.Node | None:
    """The site of a layer's 16-bit result; None where something else reads the result, too."""
    readers = list(layer.users)
    if len(readers) != 1 or readers[0].target is not dgqc.site.default:
        return None
    plan = program.plans.get(str(readers[0].args[1]))
    return readers[0] if isinstance(plan, QuantizedActivation16) else None


def _forms(real: torch.Tensor, plan: Weight, parted: bool) -> list[tuple[Weight, ...]]:
    forms: list[tuple[Weight, ...]] = [(plan,)]
    nearest = round_to_nearest(real, plan.bits, RangeMethod.MSE)
    if not torch.equal(nearest.codes, plan.codes) or not torch.equal(nearest.scale, plan.scale):
        forms.append((nearest,))
    whole = nearest if plan.bits == BYTE else round_to_nearest(real, BYTE, RangeMethod.MSE)
    if plan.bits < BYTE:
        forms.append((whole,))
    if parted:
        forms.append(two_bytes(real, whole))
    return forms


def two_bytes(real: torch.Tensor, whole: Weight) -> tuple[Weight, Weight]:
    """A weight in bytes, and what that leaves of it in bytes of its own."""
    left = (real.double() - real_values(whole)).to(torch.float32)
    return whole, round_to_nearest(left, BYTE, RangeMethod.MSE)


def real_values(plan: Weight) -> torch.Tensor:
    """What a weight's codes stand for, float64."""
    return plan.codes.double() * plan.scale.reshape(-1, *[1] * (plan.codes.dim() - 1))


def errors_of(forms: WeightForms, real: torch.Tensor) -> Mapping[int, torch.Tensor]:
    """By form, what rounding adds to the weight, float64, where that lies."""
    parts = [sum((real_values(one).to(real.device) for one in form), torch.zeros(())) for form in forms.plans]
    return {place: value - real.double() for place, value in enumerate(parts)}
