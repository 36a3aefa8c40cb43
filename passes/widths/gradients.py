"""The float graph's gradients: how the output's product with random signs changes with each operand."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...ir.plans import Operand, QuantizedOperand, Weight
from ...ir.program import Program
from ..graph.edit import dgqc
from .same_values import same_values


def gradients_of(program: Program, real: tuple[torch.Tensor, ...], step: int) -> tuple[Gradients, float]:
    """One pass back from v's product with the output, v random signs; and the output's energy.

    real: the graph's arguments of one sample. Where an op has no gradient, nothing is found upstream.
    """
    run = Gradients(program)
    with torch.enable_grad():
        output = run.run(*real, torch.tensor(step))
        generator = torch.Generator().manual_seed(step)
        signs = torch.randint(0, 2, output.shape, generator=generator).to(output.dtype) * 2 - 1
        (output * signs).sum().backward()
    return run, float(output.detach().double().square().sum())


class Gradients(fx.Interpreter):
    """Runs the float graph, each value once however often it is computed, and keeps what gets gradients.

    operands: values by the name of their first site, decided on or not. weights: by name.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        self.plans = program.plans
        self.same = same_values(program.graph.graph, program.plans)
        self.known: dict[fx.Node, Any] = {}
        self.operands: dict[str, torch.Tensor] = {}
        self.weights: dict[str, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        first = self.same[n]
        if first not in self.known or n.op == "output":
            self.known[first] = self._computed(n)
        return self.known[first]

    def _computed(self, n: fx.Node) -> Any:
        if n.op == "get_attr" and isinstance(self.plans.get(str(n.target)), Weight):
            value = super().run_node(n).detach().clone().requires_grad_()
            self.weights[str(n.target)] = value
            return value
        if n.target is dgqc.site.default:
            ((source, name), _) = self.fetch_args_kwargs_from_env(n)
            if isinstance(self.plans[name], Operand | QuantizedOperand):
                source = source * 1 if source.requires_grad else source.detach().clone().requires_grad_()
                source.retain_grad()
                self.operands[name] = source
            return source
        if n.op == "call_function" and not has_gradient(n):
            with torch.no_grad():
                return super().run_node(n)
        return super().run_node(n)


def has_gradient(node: fx.Node) -> bool:
    """Whether PyTorch can go back through a node of the planned level."""
    return getattr(node.target, "namespace", "") == "aten" or node.target is dgqc.balance.default
