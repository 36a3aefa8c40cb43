"""Rounding with compensation (optimal brain quantizer, GPTQ): what rounding one weight changes, those that
are still to be rounded take back. No gradient descent: one look at each layer's inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import fx

from ....ir.errors import DgqcError
from ....ir.ops.simulate import patches_of
from ....ir.parallel import side_by_side
from ...graph.edit import aten, constant, dgqc
from .blocks import weight_name
from .cache import Learned
from .evaluate import Quantizers, by_output_position
from .learn import FLOAT, QUANTIZED, Task

PART = 2560
"""Inputs that may compensate for each other: time grows with the square of it, memory too."""
BLOCK = 128
"""Inputs whose rounding errors are spread on the others together."""


@dataclass(frozen=True)
class Compensation:
    """How a layer is rounded.

    damping: by what share the power of each input counts more than it was; more trusts the samples less.
    ridge: likewise, where weights move to make up for errors of the layers before; 0 leaves those alone.
    rows: of the layer's input, at most, the same number of each UNet call.
    """

    damping: float
    ridge: float
    rows: int

    def __post_init__(self) -> None:
        if self.damping <= 0 or self.ridge < 0 or self.rows < 1:
            raise DgqcError("Compensation takes a damping above 0, a ridge of 0 or more and at least 1 row.")

    def __call__(self, task: Task) -> Learned:
        """Codes and scale of the unit's only weight, or those it came with where they are no worse.

        Errors are |x w^ - y|^2 over the rows x that the quantized network gives, y from the float one.
        """
        (product,) = task.unit.products
        name = weight_name(product)
        plan, weight = task.weights[name], _weight(task, product)
        limit = 2 ** (plan.bits - 1)
        moments, drift = self._moments(task, product)
        wanted = torch.split(weight.reshape(len(weight), -1).double(), PART, dim=1)
        if self.ridge and len(wanted) == 1:  # several parts would each make up for all of it
            wanted = (wanted[0] + _solved(moments[0], drift, self.ridge).T,)
        given = torch.split(plan.codes.reshape(len(weight), -1).double(), PART, dim=1)
        before = _error(given, plan.scale, wanted, moments)
        found = [
            rounded(w / plan.scale[:, None], m, limit, self.damping)
            for w, m in zip(wanted, moments, strict=True)
        ]
        scale = _best_scale(found, wanted, moments, plan.scale)
        after = _error(found, scale, wanted, moments)
        if not after < before:
            return Learned({name: plan.codes}, {}, before, before)
        codes = torch.cat(found, dim=1).to(torch.int8).reshape(weight.shape)
        return Learned({name: codes}, {}, before, after, {name: scale})

    def _moments(self, task: Task, product: fx.Node) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Means over the rows x: x^T x, float64 (size, size) for each part of the inputs; x^T (y - x w^T).

        The latter, float64 (inputs, N), tells how the float weights would have to move.
        """
        weight = _weight(task, product)
        weight = weight.reshape(len(weight), -1)
        sizes = [part.shape[1] for part in torch.split(weight, PART, dim=1)]
        sums = [torch.zeros(size, size) for size in sizes]
        drift = torch.zeros(weight.shape[1], len(weight))
        most, count = max(1, self.rows // len(task.samples.steps)), 0
        generator = torch.Generator().manual_seed(0)
        for rows, targets in layer_rows(task, product):
            if len(rows) > most:
                some = torch.randperm(len(rows), generator=generator)[:most]
                rows, targets = rows[some], targets[some]
            count += len(rows)
            drift.addmm_(rows.T, targets - rows @ weight.T)
            for total, part in zip(sums, torch.split(rows, PART, dim=1), strict=True):
                total.addmm_(part.T, part)
        return [total.double() / count for total in sums], drift.double() / count


def layer_rows(task: Task, product: fx.Node) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """What meets the weight in the quantized network, and what comes out of the float one, without bias.

    float32 (rows, inputs) and (rows, N), for each chunk of samples.
    """
    site: fx.Node = product.all_input_nodes[0]
    quantizers = Quantizers(task.plans)
    before = [node for node in task.unit.nodes if node is not product]
    bias = product.args[2] if len(product.args) > 2 else None

    def of_chunk(chunk: int) -> tuple[torch.Tensor, torch.Tensor]:
        step = task.samples.steps[chunk]
        given = task.samples.inputs(task.unit, chunk, QUANTIZED)
        x = {**given, **task.evaluator.run(before, given, step, {}, quantizers)}[site]
        y = task.samples.read(chunk, FLOAT, product, None)
        if product.target is aten.conv2d.default:
            stride, padding = product.args[3], product.args[4]
            x = patches_of(x, _weight(task, product), stride, padding)  # type: ignore[arg-type]
            name = str(site.args[1])
            if site.target is dgqc.site.default and by_output_position(task.plans[name]):
                x = quantizers(name, x, torch.tensor(step), axis=2)
            x, y = x.transpose(1, 2), y.permute(0, 2, 3, 1)
        y = y.reshape(-1, y.shape[-1])
        if isinstance(bias, fx.Node):
            y = y - constant(task.evaluator.module, bias).detach()
        return x.reshape(-1, x.shape[-1]), y

    return side_by_side(of_chunk, range(len(task.samples.steps)))


def rounded(weight: torch.Tensor, moments: torch.Tensor, limit: int, damping: float) -> torch.Tensor:
    """Codes -limit .. limit - 1, float64 (N, K), for weights in units of their scales.

    moments: float64 (K, K), of the inputs. Inputs are taken by falling power: the strongest are rounded while
    most others can still compensate. With U the upper Cholesky factor of the moments' inverse, the error of
    rounding input k, over U[k, k], times U[k, k + 1:] is what the others have to take back.
    """
    order = torch.argsort(moments.diagonal(), descending=True, stable=True)
    damped = _damped(moments, damping)[order][:, order]
    factor = _factor_of_inverse(damped)
    rest = weight.double()[:, order]
    codes = torch.empty_like(rest)
    for first in range(0, rest.shape[1], BLOCK):
        last = min(first + BLOCK, rest.shape[1])
        errors = torch.empty(len(rest), last - first, dtype=rest.dtype)
        for k in range(first, last):
            codes[:, k] = torch.round(rest[:, k]).clamp(-limit, limit - 1)
            error = (rest[:, k] - codes[:, k]) / factor[k, k]
            rest[:, k + 1 : last] -= error[:, None] * factor[k, k + 1 : last]
            errors[:, k - first] = error
        rest[:, last:] -= errors @ factor[first:last, last:]
    result = torch.empty_like(codes)
    result[:, order] = codes
    return result


def _factor_of_inverse(matrix: torch.Tensor) -> torch.Tensor:
    """The upper U with U^T U = matrix^-1: backwards, it is the inverse of the matrix's own lower factor."""
    lower = torch.linalg.cholesky(matrix.flip(0, 1))
    eye = torch.eye(len(matrix), dtype=matrix.dtype)
    inverse: torch.Tensor = torch.linalg.solve_triangular(lower, eye, upper=False)
    return inverse.flip(0, 1)


def _damped(moments: torch.Tensor, share: float) -> torch.Tensor:
    """The diagonal raised by a share of itself, which treats inputs of any size alike, and above 0."""
    power = moments.diagonal()
    return moments + torch.diag(share * power + 1e-6 * power.mean() + 1e-30)


def _solved(moments: torch.Tensor, drift: torch.Tensor, ridge: float) -> torch.Tensor:
    return torch.cholesky_solve(drift, torch.linalg.cholesky(_damped(moments, ridge)))


Parts = Sequence[torch.Tensor]
"""Of a matrix, by parts of the inputs."""


def _best_scale(codes: Parts, wanted: Parts, moments: Parts, scale: torch.Tensor) -> torch.Tensor:
    """The scale of each row with the least error of its codes; the one it has where no scale above 0 has."""
    numerator, denominator = torch.zeros_like(scale), torch.zeros_like(scale)
    for part, real, moment in zip(codes, wanted, moments, strict=True):
        reached = part @ moment
        numerator += (reached * real).sum(dim=1)
        denominator += (reached * part).sum(dim=1)
    best = numerator / denominator
    return torch.where(torch.isfinite(best) & (best > 0), best, scale)


def _error(codes: Parts, scale: torch.Tensor, wanted: Parts, moments: Parts) -> float:
    """Mean over rows of |x (w^ - w)|^2, parts apart."""
    total = 0.0
    for part, real, moment in zip(codes, wanted, moments, strict=True):
        difference = part * scale[:, None] - real
        total += float(((difference @ moment) * difference).sum())
    return total


def _weight(task: Task, product: fx.Node) -> torch.Tensor:
    weight = product.args[1]
    assert isinstance(weight, fx.Node)
    return constant(task.evaluator.module, weight).detach()
