"""What rounding one operand or one weight costs the network's output, from its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import fx

from ...ir.devices import CPU
from ...ir.ops.simulate import fake_quantize
from ...ir.plans import Dimension, QuantizedOperand, Role
from ...ir.program import Program
from ..simulation.pass_back import pass_back
from ..simulation.simulate import operand_axis
from .forms import Forms, OperandForms, WeightForms, errors_of
from .same_values import each_once

HEADROOM = 2.0
"""How far a 16-bit value's scale reaches beyond what it is."""


def noise_of_forms(
    program: Program,
    forms: Sequence[Forms],
    real: tuple[torch.Tensor, ...],
    step: int,
    apart: bool = False,
) -> Sequence[torch.Tensor]:
    """For each of the operands and weights, what each of its forms adds to the output's error, as a share of
    its energy: float64 (number of forms,).

    A rounding error e changes the output by J e. With v random signs, the gradient g = J^T v of v's product
    with the output gives (g e)^2, whose mean is the energy of J e. Errors of an operand's elements are
    independent, and so only their squares are added up. One pass back serves all operands and weights.
    real: the graph's arguments of one sample. apart: errors of a weight's elements count as independent, too,
    as those of rounding to nearest are: less of the result is then chance of v.
    """
    named: dict[str, Forms] = {
        one.names[0] if isinstance(one, OperandForms) else one.name: one for one in forms
    }
    found: dict[Forms, torch.Tensor] = {}

    def name(node: fx.Node) -> str:
        return str(node.target if node.op == "get_attr" else node.args[1])

    def told(node: fx.Node, value: torch.Tensor, gradient: torch.Tensor | None) -> None:
        one = named[name(node)]
        if gradient is None:
            found[one] = torch.zeros(len(one.bits), dtype=torch.float64)
        elif isinstance(one, OperandForms):
            found[one] = _of_operand(one, value, gradient, step)
        else:
            found[one] = _of_weight(one, value, gradient, apart)

    energy = pass_back(each_once(program), real, step, lambda node: name(node) in named, told)
    return [found[one] / max(energy, 1e-300) for one in forms]


def _of_operand(forms: OperandForms, x: torch.Tensor, gradient: torch.Tensor, step: int) -> torch.Tensor:
    power = gradient.double().square()
    found = [float((power * _squares(plan, x, step)).sum()) for plan in forms.plans]
    wide = (float(x.abs().max()) * HEADROOM / 32767) ** 2 / 12
    return torch.tensor([*found, float(power.sum()) * wide], dtype=torch.float64)


def _squares(plan: QuantizedOperand, x: torch.Tensor, step: int) -> torch.Tensor:
    """Squared rounding errors of an operand."""
    scale = plan.scale[step].to(x.device)
    if plan.operand.role is Role.CONVOLUTION and plan.dimension is Dimension.PIXEL:
        # Each value is rounded once for each patch it lies in, by steps of their own.
        return (scale.square().mean() / 12).expand(x.shape)
    scale, zero = (one.to(x.device, torch.float32) for one in (plan.scale, plan.zero))
    axis = operand_axis(plan, x.dim())
    call, group = torch.tensor(step, device=x.device), plan.group.to(x.device)
    rounded = fake_quantize(x, call, scale, zero, group, axis, plan.operand.bits)
    return (rounded - x).double().square()


def _of_weight(forms: WeightForms, weight: torch.Tensor, gradient: torch.Tensor, apart: bool) -> torch.Tensor:
    errors: Mapping[int, torch.Tensor] = errors_of(forms, weight)
    changes = [gradient.double() * error for error in errors.values()]
    return torch.stack([one.square().sum() if apart else one.sum().square() for one in changes]).to(CPU)
