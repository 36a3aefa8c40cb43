"""What rounding one operand or one weight costs the network's output, from its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ...ir.ops.simulate import fake_quantize
from ...ir.plans import Dimension, QuantizedOperand, Role
from ...ir.program import Program
from ..simulation.simulate import operand_axis
from .forms import Forms, OperandForms, WeightForms, errors_of
from .gradients import Gradients, gradients_of

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
    real: the graph's arguments of one sample.
    """
    run, energy = gradients_of(program, real, step)
    found = []
    for one in forms:
        noise = _of_operand(run, one, step) if isinstance(one, OperandForms) else _of_weight(run, one)
        found.append(noise / max(energy, 1e-300))
    return found


def _of_operand(run: Gradients, forms: OperandForms, step: int) -> torch.Tensor:
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


def _of_weight(run: Gradients, forms: WeightForms) -> torch.Tensor:
    weight = run.weights[forms.name]
    if weight.grad is None:
        return torch.zeros(len(forms.bits), dtype=torch.float64)
    gradient = weight.grad.double()
    errors: Mapping[int, torch.Tensor] = errors_of(forms, weight.detach())
    return torch.stack([(gradient * error).sum().square() for error in errors.values()])
