"""How wide a program's numbers are, and how many groups share a quantizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import fx

from ..ir.level import Level
from ..ir.ops.captured import is_layer
from ..ir.plans import (
    GroupedOperand,
    Operand,
    Plan,
    QuantizedOperand,
    QuantizedProbabilities,
    SteppedOperand,
    Weight,
)
from ..ir.program import Program
from ..passes.base import Decisions, Pass
from ..passes.graph.edit import dgqc, edge_convolutions, module_path


@dataclass(frozen=True)
class Widths:
    """Bits of most weights and of most operands, of both at the first and last convolution, and the most
    groups that any operand has. weight_megabytes: what a budget leaves all weights' codes; 0 where none does.
    """

    weight_bits: int = 8
    activation_bits: int = 8
    edge_bits: int = 8
    edge_activation_bits: int = 8
    groups: int = 1
    weight_megabytes: float = 0.0

    def to_json(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name != "weight_megabytes"}


FLOAT = Widths(32, 32, 32, 32, 0)
"""The model as it came."""


def decided(passes: Sequence[Pass]) -> Widths:
    """What the options of passes settle; 8 bits and one group where none says anything."""
    found = Decisions()
    for item in passes:
        found.update(item.decides())
    return Widths(**found)


@dataclass
class Planned:
    """An instrument that reads the plans of a program just before it is lowered.

    widths: None until then. probabilities: how each attention is coded, by its place in the model.
    """

    widths: Widths | None = None
    probabilities: dict[str, str] = field(default_factory=dict)

    def before(self, item: Pass, program: Program) -> None:
        """Reads them where the pass leaves the planned level."""
        if program.level is Level.PLANNED and item.leaves is not Level.PLANNED:
            self.widths = widths_of(program)
            self.probabilities = codings(program)

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Nothing."""


def widths_of(program: Program) -> Widths:
    """What the plans of a program at the planned level say."""
    graph, plans = program.graph.graph, program.plans
    edges = edge_convolutions(graph)
    weights, edge_weights = Counter[int](), Counter[int]()
    operands, edge_operands = Counter[int](), Counter[int]()
    for node in graph.nodes:
        if is_layer(node):
            weight = plans.get(str(node.args[1].target))
            if isinstance(weight, Weight):
                (edge_weights if node in edges else weights)[weight.bits] += weight.codes.numel()
        if node in edges:
            operand = _operand(node.args[0], plans)
            edge_operands[operand.bits if operand else 16] += 1
        elif (operand := _operand(node, plans)) and not edges.intersection(node.users):
            operands[operand.bits] += 1
    return Widths(
        weight_bits=_most(weights or edge_weights),
        activation_bits=_most(operands or edge_operands),
        edge_bits=_most(edge_weights or weights),
        edge_activation_bits=_most(edge_operands or operands),
        groups=max((_groups(plan) for plan in plans.values()), default=1),
    )


def codings(program: Program) -> dict[str, str]:
    """How each attention's probabilities are coded, by its place in the model."""
    found = {}
    for node in program.graph.graph.nodes:
        plan = program.plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
        if isinstance(plan, QuantizedProbabilities):
            found[module_path(node)] = plan.coding.value
    return found


def sites_of(program: Program) -> dict[str, str]:
    """Where in the model each site stands, by the site's name."""
    sites = (node for node in program.graph.graph.nodes if node.target is dgqc.site.default)
    return {str(node.args[1]): module_path(node) for node in sites}


def _operand(node: fx.Node | Any, plans: Mapping[str, Plan]) -> Operand | None:
    """The operand that a site marks; None for other nodes and other sites."""
    plan = plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
    if isinstance(plan, Operand):
        return plan
    found: Operand | None = getattr(plan, "operand", None)
    return found


def _groups(plan: Plan) -> int:
    if isinstance(plan, QuantizedOperand):
        return int(plan.multiple.shape[1])
    if isinstance(plan, GroupedOperand):
        return _count(plan.group)
    if isinstance(plan, SteppedOperand):
        return max(_count(call.group) for call in plan.calls)
    return 1


def _count(group: torch.Tensor) -> int:
    return int(group.max()) + 1


def _most(found: Counter[int]) -> int:
    """The width that most have; of equal ones, the wider."""
    return max(found, key=lambda bits: (found[bits], bits), default=8)
