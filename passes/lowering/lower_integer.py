"""`lower-integer`: the planned graph becomes a graph in which every tensor is an integer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import chooses_scale
from ...ir.plans import SteppedOperand
from ...ir.program import Input, Program
from ...ir.progress import track
from ..base import Pass
from ..graph.edit import clean, propagate, shape
from ..manager.registry import register_pass
from .builder import IntegerGraphBuilder
from .exponents import wanted_scale
from .families import lower
from .layout import Layout, plain
from .values import Scaled


@register_pass
@dataclass(frozen=True)
class LowerInteger(Pass):
    """Emits `dgqc::` ops from the plans (docs/arithmetic.md has each recipe).

    Images are stored channels last, (1, H, W, C), from the first convolution to the last; the program's own
    inputs and output keep the model's shapes. Permutes remain where values really have to move: at the two
    ends, and where heads are put apart and together.

    Multipliers are as precise as the actual constants allow: each op's accumulator is bounded from its
    weights, groups and zero points first, and the multiplier gets the bits that are left.
    """

    name: ClassVar[str] = "lower-integer"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})
    provides: ClassVar[frozenset[str]] = frozenset({"integers"})

    def run(self, program: Program) -> Program:
        _refuse_stepped(program)
        builder = IntegerGraphBuilder(program)
        inputs = _inputs(builder)
        output: Scaled | None = None
        nodes = list(program.graph.graph.nodes)
        for node in track(nodes, "lowering", len(nodes)):
            if node.op == "call_function":
                builder.values[node] = lower(builder, node)
            elif node.op == "output":
                (result_node,) = node.all_input_nodes
                output = builder.scaled(result_node, plain(len(shape(result_node))))
        assert output is not None
        builder.graph.output(output.node)
        graph = fx.GraphModule(builder.root, builder.graph)
        clean(graph)
        result = replace(
            program, graph=graph, inputs=inputs, plans={}, output_scale=output.scale, calibration=None
        )
        propagate(result)
        kept = {str(n.target) for n in graph.graph.nodes if n.op == "get_attr"}
        widths = {name: bits for name, bits in builder.weight_bits.items() if name in kept}
        return result.with_report("weight-bits", widths)


def _refuse_stepped(program: Program) -> None:
    for name, plan in program.plans.items():
        if isinstance(plan, SteppedOperand):
            raise DgqcError(
                f"Site {name} is grouped anew at each call, which has no integer form, since weights would "
                "have to be permuted for each; take kmeans-groups for step-groups, or end with simulate."
            )


def _inputs(builder: IntegerGraphBuilder) -> tuple[Input, ...]:
    """Placeholders of the new graph, and the program's inputs with their scales."""
    program = builder.program
    sizes = {item.name: item.shape for item in program.inputs}
    inputs = []
    for node in program.graph.graph.nodes:
        if node.op != "placeholder":
            continue
        new = builder.graph.placeholder(str(node.target))
        new.meta["module"] = node.meta.get("module")
        if node.target == "step":
            new.meta["val"] = torch.empty((), dtype=torch.int64, device="meta")
            builder.step = new
            continue
        size = sizes[str(node.target)]
        new.meta["val"] = torch.empty(size, dtype=torch.int16, device="meta")
        scale, exponent = _scale(builder, node)
        builder.values[node] = Scaled(new, scale, Layout.plain(size), exponent)
        inputs.append(Input(str(node.target), size, scale, exponent))
    return tuple(inputs)


def _scale(builder: IntegerGraphBuilder, node: fx.Node) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Of an input, with exponents: what its site says, and 1 for whole numbers, which have no site."""
    if chooses_scale(node):
        return wanted_scale(builder, node)
    return torch.ones(builder.calls, dtype=torch.float64), None
