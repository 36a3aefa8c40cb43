"""What rounding one operand or one weight costs the network's output, from its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx

from ...ir.ops.simulate import fake_quantize
from ...ir.plans import Dimension, QuantizedOperand, Role, Weight
from ...ir.program import Program
from ..graph.edit import dgqc
from ..simulation.simulate import operand_axis
from .forms import Forms, OperandForms, WeightForms, errors_of
from .same_values import same_values

HEADROOM = 2.0
"""How far a 16-bit value's scale reaches beyond what it is."""


def noise_of_forms(
    program: Program, forms: Sequence[Forms], real: tuple[torch.Tensor, ...], step: int
) -> Sequence[torch.Tensor]:
    """For each of the operands and weights, what each of its forms adds to the output's error, as a share of
    its energy: float64 (number of forms,).

    A rounding error e changes the output by J e. With v random signs, the gradient g = J^T v of v's product
    with the output gives (g e)^2, whose mean is the energy of J e. Errors of an operand's elements are
    independent, and so only their squares are added up. One pass back serves all operands and weights.
    real: the graph's arguments of one sample. Where an op has no gradient, nothing is found upstream.
    """
    run = _Gradients(program)
    with torch.enable_grad():
        output = run.run(*real, torch.tensor(step))
        generator = torch.Generator().manual_seed(step)
        signs = torch.randint(0, 2, output.shape, generator=generator).to(output.dtype) * 2 - 1
        (output * signs).sum().backward()
    energy = float(output.detach().double().square().sum())
    found = []
    for one in forms:
        noise = _of_operand(run, one, step) if isinstance(one, OperandForms) else _of_weight(run, one)
        found.append(noise / max(energy, 1e-300))
    return found


class _Gradients(fx.Interpreter):
    """Runs the float graph, each value once however often it is computed, and keeps what gets gradients.

    operands: values by the name of their first site. weights: by name.
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
            if isinstance(self.plans[name], QuantizedOperand):
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


def _of_operand(run: _Gradients, forms: OperandForms, step: int) -> torch.Tensor:
    value = run.operands[forms.names[0]]
    if value.grad is None:
        return torch.zeros(len(forms.bits), dtype=torch.float64)
    x, power = value.detach(), value.grad.double().square()
    found = [float((power * _squares(plan, x, step)).sum()) for plan in forms.plans]
    wide = (float(x.abs().max()) * HEADROOM / 32767) ** 2 / 12
    return torch.tensor([*found, float(power.sum()) * wide], dtype=torch.float64)


def _squares(plan: QuantizedOperand, x: torch.Tensor, step: int) -> torch.Tensor:
    """Squared rounding errors of an operand."""
    scale = plan.scale[step]
    if plan.operand.role is Role.CONVOLUTION and plan.dimension is Dimension.PIXEL:
        # Each value is rounded once for each patch it lies in, by steps of their own.
        return (scale.square().mean() / 12).expand(x.shape)
    tables = (plan.scale.to(torch.float32), plan.zero.to(torch.float32), plan.group)
    axis = operand_axis(plan, x.dim())
    rounded = fake_quantize(x, torch.tensor(step), *tables, axis, plan.operand.bits)
    return (rounded - x).double().square()


def _of_weight(run: _Gradients, forms: WeightForms) -> torch.Tensor:
    weight = run.weights[forms.name]
    if weight.grad is None:
        return torch.zeros(len(forms.bits), dtype=torch.float64)
    gradient = weight.grad.double()
    errors: Mapping[int, torch.Tensor] = errors_of(forms, weight.detach())
    return torch.stack([(gradient * error).sum().square() for error in errors.values()])
