"""Weights and operands in every width that a program may mix."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx

from ...ir.ops.captured import is_layer
from ...ir.plans import Weight
from ...ir.program import Program
from ...ir.storage.narrow_codes import stored_bytes
from ..graph.edit import constant, dgqc
from ..weights.quantize_weights import RangeMethod, round_to_nearest
from .forms import BYTE, OperandForms, WeightForms, in_bits, operand_forms, output_site, two_bytes

WEIGHTS, OPERANDS = (2, 3, 4, BYTE), (4, 6, BYTE)
"""Bits of codes."""


def readers_of_weights(program: Program) -> dict[str, list[fx.Node]]:
    """The layers that read each quantized weight, by its name."""
    found: dict[str, list[fx.Node]] = {}
    for node in program.graph.graph.nodes:
        if is_layer(node) and isinstance(program.plans.get(str(node.args[1].target)), Weight):
            found.setdefault(str(node.args[1].target), []).append(node)
    return found


def weight_in_every_width(program: Program, name: str, layers: Sequence[fx.Node]) -> WeightForms:
    """The weight as it is, then rounded to nearest in the other widths; in two bytes where these can be
    added up. layers: that read it."""
    real, own = constant(program.graph, layers[0].args[1]).detach(), program.plans[name]  # type: ignore[arg-type]
    assert isinstance(own, Weight)
    rounded = {bits: round_to_nearest(real, bits, RangeMethod.MSE) for bits in WEIGHTS if bits != own.bits}
    forms: list[tuple[Weight, ...]] = [(own,), *((one,) for one in rounded.values())]
    if len(layers) == 1 and output_site(layers[0], program) is not None:
        forms.append(two_bytes(real, rounded.get(BYTE, own)))
    return WeightForms(name, tuple(forms))


def operands_in_every_width(program: Program) -> Sequence[OperandForms]:
    """What layers read: as it is, then with the same ranges in the other widths."""
    found = []
    for one in operand_forms(program):
        own = one.plans[0]
        others = (in_bits(own, bits) for bits in OPERANDS if bits != own.operand.bits)
        found.append(OperandForms(one.names, (own, *(plan for plan in others if plan is not None))))
    return found


def bytes_of(form: Sequence[Weight]) -> int:
    """What the codes of all parts are stored in."""
    return sum(stored_bytes(one.bits, one.codes.numel()) for one in form)


def values_of(program: Program) -> dict[str, int]:
    """How many values a site marks, by its name."""
    sites = (node for node in program.graph.graph.nodes if node.target is dgqc.site.default)
    return {str(site.args[1]): site.meta["val"].numel() for site in sites}
