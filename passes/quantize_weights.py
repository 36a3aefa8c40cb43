"""`quantize-weights`: weights become 8- or 4-bit integers, round-to-nearest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import torch

from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.plans import Plan, Weight
from ..ir.program import Program
from ..ir.progress import track
from .base import Pass
from .graph import aten, constant, edge_convolutions
from .registry import register_pass

SHRINKS = 80
"""Candidate ranges per channel: the largest magnitude times 1 - 0.01 i (the grid of the released code)."""
POWER = 2.4
"""The norm of the rounding error that the search minimizes (likewise)."""


class Method(StrEnum):
    """How a channel's scale is found."""

    MINMAX = "minmax"
    """The largest magnitude just fits."""
    MSE = "mse"
    """The range with the least rounding error."""


@register_pass
@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Symmetric signed integers with one scale per output channel, rounded to nearest.

    bits: 4 or 8 (2 .. 8). edges: bits of the first and last convolution, at least `bits`.
    method: how ranges are found.

    Our deviation from the published methods' asymmetric unsigned codes: without a zero point on weights,
    products need no sums over activations at run time.
    """

    bits: int = 8
    edges: int = 8
    method: Method = Method.MSE

    name: ClassVar[str] = "quantize-weights"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"weights"})

    def __post_init__(self) -> None:
        for option in (self.bits, min(self.edges, 8)):
            if not 2 <= option <= 8:
                raise DgqcError(f"quantize-weights takes 2 to 8 bits, not {option}.")

    def run(self, program: Program) -> Program:
        graph = program.graph.graph
        edges = edge_convolutions(graph)
        plans: dict[str, Plan] = dict(program.plans)
        products = [n for n in graph.nodes if n.target in (aten.linear.default, aten.conv2d.default)]
        for node in track(products, "quantizing weights", len(products)):
            name = str(node.args[1].target)
            bits = max(self.bits, min(self.edges, 8)) if node in edges else self.bits
            if name not in plans:
                plans[name] = round_to_nearest(constant(program.graph, node.args[1]), bits, self.method)
        return replace(program, plans=plans).with_report(
            self.name, {"weights": len(products), "bits": self.bits, "method": self.method.value}
        )


def round_to_nearest(weight: torch.Tensor, bits: int, method: Method) -> Weight:
    """The weight's codes and scales. weight: float (N, ...)."""
    rows = weight.detach().reshape(weight.shape[0], -1).to(torch.float32)
    top = 2 ** (bits - 1) - 1
    largest = rows.abs().amax(dim=1).clamp(min=1e-12)
    best = largest / top
    if method is Method.MSE:
        best_error = torch.full_like(best, torch.inf)
        for i in range(SHRINKS):
            scale = largest * (1 - 0.01 * i) / top
            codes = torch.round(rows / scale[:, None]).clamp(-top - 1, top)
            error = (codes * scale[:, None] - rows).abs().pow(POWER).sum(dim=1)
            better = error < best_error
            best, best_error = torch.where(better, scale, best), torch.where(better, error, best_error)
    codes = torch.round(rows / best[:, None]).clamp(-top - 1, top).to(torch.int8)
    return Weight(bits, codes.reshape(weight.shape), best.to(torch.float64))
