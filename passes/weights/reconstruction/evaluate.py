"""Runs some nodes of a planned graph: in float, or as their plans say, or anything between."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from ....ir.moving import moved
from ....ir.ops.simulate import (
    fake_quantize,
    fake_quantize_log2,
    fake_quantize_static,
    fake_quantize_uniform,
    patches_of,
    product_of_patches,
)
from ....ir.plans import Coding, Dimension, Granularity, Plan, QuantizedOperand, QuantizedProbabilities, Role
from ....ir.program import Program
from ....ir.storage.mapped import let_go
from ...graph.edit import aten, constant, dgqc
from ...graph.large_attention import reader_of_rows
from ...simulation.block_interpreter import Rows, on_rows, product_by_rows
from ...simulation.simulate import operand_axis

NodeValues = Mapping[fx.Node, torch.Tensor]


@dataclass(frozen=True)
class Quantizers:
    """Activations as their plans say.

    plans: by site. factors: what scales are multiplied by while they are learned, (1,) or (T,) by site.
    drop: the share of elements that pass as they are (QDrop), chosen by the generator.
    """

    plans: Mapping[str, Plan]
    factors: Mapping[str, torch.Tensor] = field(default_factory=dict)
    drop: float = 0.0
    generator: torch.Generator | None = None

    def __call__(
        self, name: str, x: torch.Tensor, step: torch.Tensor, axis: int | None = None
    ) -> torch.Tensor:
        """The value that a site's codes stand for. axis: of the groups, where it isn't the plan's own."""
        plan = self.plans[name]
        if isinstance(plan, QuantizedOperand):
            scale = plan.scale.to(x.device) * self._factor(name, x)[:, None]
            axis = operand_axis(plan, x.dim()) if axis is None else axis
            tables = (scale.to(torch.float32), plan.zero.to(x.device, torch.float32), plan.group.to(x.device))
            y = fake_quantize(x, step, *tables, axis, plan.operand.bits)
        elif isinstance(plan, QuantizedProbabilities):
            y = self._probabilities(name, plan, x, step)
        else:
            return x
        if self.drop:
            y = torch.where((torch.rand(x.shape, generator=self.generator) < self.drop).to(x.device), x, y)
        return y

    def _probabilities(
        self, name: str, plan: QuantizedProbabilities, x: torch.Tensor, step: torch.Tensor
    ) -> torch.Tensor:
        if plan.granularity is None:
            assert plan.scale is not None
            scale = (plan.scale.to(x.device) * self._factor(name, x)).to(torch.float32)
            return fake_quantize_static(x, step, scale, plan.bits)
        function = fake_quantize_log2 if plan.coding is Coding.LOG2 else fake_quantize_uniform
        return function(x, plan.bits, plan.granularity.value)

    def _factor(self, name: str, like: torch.Tensor) -> torch.Tensor:
        return self.factors.get(name, torch.ones(1)).to(like.device)


def by_output_position(plan: Plan) -> bool:
    """Whether an operand is quantized only when a convolution gathers its patches."""
    return (
        isinstance(plan, QuantizedOperand)
        and plan.operand.role is Role.CONVOLUTION
        and plan.dimension is Dimension.PIXEL
    )


class Evaluator:
    """Runs nodes of a program's graph, which stays as it is, where float work is computed."""

    def __init__(self, program: Program) -> None:
        self.module, self.plans = program.graph, program.plans

    def run(
        self,
        nodes: Sequence[fx.Node],
        inputs: NodeValues,
        step: int,
        weights: Mapping[str, torch.Tensor],
        quantizers: Quantizers | None,
        kept: Collection[fx.Node] | None = None,
    ) -> dict[fx.Node, torch.Tensor]:
        """The values of the nodes.

        inputs: what they read from outside, on the device that computes. step: of the call. weights: in the
        place of the float ones, by name, there too. quantizers: of activations; None leaves them in float.
        kept: those whose values are wanted, all where nothing is said. Others go when they were read, and
        large attentions are taken by rows.
        """
        number = moved(torch.tensor(step))
        found: dict[fx.Node, Any] = {}
        last = {} if kept is None else {source: node for node in nodes for source in node.all_input_nodes}

        def value(node: fx.Node) -> torch.Tensor:
            if node.op == "get_attr":
                name = str(node.target)
                return weights[name] if name in weights else moved(constant(self.module, node).detach())
            if node.target == "step":
                return number
            return found[node] if node in found else inputs[node]

        for node in nodes:
            source = node.args[0]
            if node.target is dgqc.site.default:
                assert isinstance(source, fx.Node)
                found[node] = self._site(str(node.args[1]), value(source), number, quantizers)
            elif quantizers is not None and self._gathers(node):
                found[node] = _patches(node, quantizers, value, number)
            else:
                arguments: Any = fx.node.map_arg((node.args, dict(node.kwargs)), value)
                args, kwargs = arguments
                if args and isinstance(args[0], Rows):
                    found[node] = on_rows(node, args, kwargs)
                elif kept is not None and self._by_rows(node, args, nodes, quantizers):
                    found[node] = product_by_rows(*args)
                else:
                    found[node] = node.target(*args, **kwargs)  # type: ignore[operator]
                let_go(*(one for one in args if isinstance(one, torch.Tensor)))
            for read in node.all_input_nodes:
                if kept is not None and last[read] is node and read not in kept:
                    found.pop(read, None)
        return found if kept is None else {node: found[node] for node in kept if node in found}

    def _site(self, name: str, x: Any, number: torch.Tensor, quantizers: Quantizers | None) -> Any:
        if quantizers is None or by_output_position(self.plans[name]):
            return x
        if isinstance(x, Rows):
            return x.then(lambda part: quantizers(name, part, number))
        return quantizers(name, x, number)

    def _by_rows(
        self, node: fx.Node, args: Any, nodes: Sequence[fx.Node], quantizers: Quantizers | None
    ) -> bool:
        """Whether a product is so large that its result is better never held. Where all rows share a scale,
        it has to be."""
        reader = reader_of_rows(node, args, self.plans)
        if reader is None or reader not in nodes:
            return False
        site = reader.all_input_nodes[0]
        plan = self.plans.get(str(site.args[1])) if site.target is dgqc.site.default else None
        whole = isinstance(plan, QuantizedProbabilities) and plan.granularity is Granularity.TENSOR
        return quantizers is None or not whole

    def _gathers(self, node: fx.Node) -> bool:
        site = node.args[0]
        if node.target is not aten.conv2d.default or not isinstance(site, fx.Node):
            return False
        return site.target is dgqc.site.default and by_output_position(self.plans[str(site.args[1])])


def _patches(node: fx.Node, quantizers: Quantizers, value: Any, step: torch.Tensor) -> torch.Tensor:
    """A convolution whose patches are quantized by their output position."""
    arguments: Any = node.args
    site, weight, bias, stride, padding = arguments[:5]
    x, w = value(site), value(weight)
    patches = quantizers(str(site.args[1]), patches_of(x, w, stride, padding), step, axis=2)
    return product_of_patches(patches, x, w, None if bias is None else value(bias), stride, padding)
