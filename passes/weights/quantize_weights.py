"""`quantize-weights`: weights become integers of 8, 4, 3 or 2 bits, round-to-nearest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.moving import moved
from ...ir.ops.captured import is_layer
from ...ir.plans import Plan, Weight
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ...ir.storage.mapped import let_go
from ..base import Decisions, Pass
from ..graph.edit import constant, edge_convolutions, module_path
from ..manager.registry import register_pass

SHRINKS = 80
"""Candidate ranges per channel: the largest magnitude times 1 - 0.01 i (the grid of the released code)."""
POWER = 2.4
"""The norm of the rounding error that the search minimizes (likewise)."""
WIDE = 8
"""Bits of the layers that are named."""
CHUNK = 2**20
"""Weights that are worked on at a time: few enough for a processor's cache."""
EXTREMES = 32
"""Of a channel's weights, how many of the largest rule out ranges that clamp too much."""
CERTAINLY = 0.999
"""Leaves room for the rounding of sums when bounds are compared."""


class RangeMethod(StrEnum):
    """How a channel's scale is found."""

    MINMAX = "minmax"
    """The largest magnitude just fits."""
    MSE = "mse"
    """The range with the least rounding error."""


@register_pass
@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Symmetric signed integers with one scale per output channel, rounded to nearest.

    bits: 2 .. 8; codes of 2, 3 and 4 are packed, others are bytes. edges: bits of the first and last
        convolution, at least `bits`.
    method: how ranges are found. wide: layers that get 8 bits, by their place in the model, joined by +.

    Our deviation from the published methods' asymmetric unsigned codes: without a zero point on weights,
    products need no sums over activations at run time.
    """

    bits: int = 8
    edges: int = 8
    method: RangeMethod = RangeMethod.MSE
    wide: str = ""

    name: ClassVar[str] = "quantize-weights"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"weights"})

    def __post_init__(self) -> None:
        for option in (self.bits, min(self.edges, 8)):
            if not 2 <= option <= 8:
                raise DgqcError(f"quantize-weights takes 2 to 8 bits, not {option}.")

    def decides(self) -> Decisions:
        return {"weight_bits": self.bits, "edge_bits": self._edge_bits}

    @property
    def _edge_bits(self) -> int:
        return max(self.bits, min(self.edges, 8))

    def _bits(self, place: str, edge: bool) -> int:
        """Of a layer. place: in the model."""
        if place in self.wide.split("+"):
            return WIDE
        return self._edge_bits if edge else self.bits

    def run(self, program: Program) -> Program:
        graph = program.graph.graph
        edges = edge_convolutions(graph)
        plans: dict[str, Plan] = dict(program.plans)
        products = [n for n in graph.nodes if is_layer(n)]
        first: dict[str, fx.Node] = {}  # of the products that read a weight
        for node in products:
            first.setdefault(str(node.args[1].target), node)
        left = [name for name in first if name not in plans]
        self._check_wide([module_path(node) for node in products])

        def rounded(name: str) -> Weight:
            weight: Any = first[name].args[1]
            bits = self._bits(module_path(first[name]), first[name] in edges)
            real = constant(program.graph, weight)
            found = round_to_nearest(real, bits, self.method)
            let_go(real)
            return found

        found = track(shared_out(rounded, left), "quantizing weights", len(left))
        plans |= dict(zip(left, found, strict=True))
        return replace(program, plans=plans).with_report(
            self.name, {"weights": len(products), "bits": self.bits, "method": self.method.value}
        )

    def _check_wide(self, places: Collection[str]) -> None:
        unknown = [one for one in self.wide.split("+") if one and one not in places]
        if unknown:
            near = get_close_matches(unknown[0], places, 1)
            instead = f"did you mean {near[0]}?" if near else "see --print-ir-after=insert-sites."
            raise DgqcError(f"The model has no layer {unknown[0]!r} whose weights could be wider; {instead}")


def round_to_nearest(weight: torch.Tensor, bits: int, method: RangeMethod) -> Weight:
    """The weight's codes and scales, found where float work is computed. weight: float (N, ...)."""
    rows = moved(weight.detach()).reshape(weight.shape[0], -1).to(torch.float32)
    # Some rows at a time: what is computed on the way stays in the cache, and weights can be large.
    parts = [_round_rows(part, bits, method) for part in torch.split(rows, max(1, CHUNK // rows.shape[1]))]
    codes, scales = (torch.cat(items).to(CPU) for items in zip(*parts, strict=True))
    return Weight(bits, codes.reshape(weight.shape), scales.to(torch.float64))


def _round_rows(rows: torch.Tensor, bits: int, method: RangeMethod) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes int8 (N, K) and scales float32 (N,). rows: float32 (N, K)."""
    top = 2 ** (bits - 1) - 1
    largest = rows.abs().amax(dim=1).clamp(min=1e-12)
    scale = largest / top if method is RangeMethod.MINMAX else _best_scale(rows, largest, top)
    return torch.round(rows / scale[:, None]).clamp_(-top - 1, top).to(torch.int8), scale


def _best_scale(rows: torch.Tensor, largest: torch.Tensor, top: int) -> torch.Tensor:
    """The candidate with the least sum of |error|^POWER in each row; of equal ones, the largest.

    Powers take most of the time, so lower bounds on the sums rule candidates out first: what clamping takes
    from the largest weights alone, then the mean of squares, which raised to POWER / 2 is never above the
    mean of powers.
    """
    scales = torch.stack([largest * (1 - 0.01 * i) / top for i in range(SHRINKS)])
    work = torch.empty_like(rows)
    least = _powers(rows, scales[0], top, work)
    extremes = rows.abs().topk(min(EXTREMES, rows.shape[1]), dim=1).values
    bounds = (extremes - (top + 1) * scales[:, :, None]).clamp_(min=0).pow_(POWER).sum(dim=2)
    for candidate, scale in enumerate(scales):
        if bool((bounds[candidate] * CERTAINLY <= least).any()):
            squares = _error(rows, scale, top, work).square_().mean(dim=1)
            bounds[candidate] = squares.pow_(POWER / 2).mul_(rows.shape[1])
    bounds *= CERTAINLY
    # The most promising candidate first: it rules out most of the others.
    promising = scales.gather(0, bounds.argmin(dim=0)[None])[0]
    least = torch.minimum(least, _powers(rows, promising, top, work))
    errors = torch.full_like(bounds, torch.inf)
    for candidate, scale in enumerate(scales):
        (chosen,) = (bounds[candidate] <= least).nonzero(as_tuple=True)
        if len(chosen):
            errors[candidate, chosen] = _powers(rows[chosen], scale[chosen], top, work[: len(chosen)])
            least = torch.minimum(least, errors[candidate])
    return scales.gather(0, errors.argmin(dim=0)[None])[0]


def _powers(rows: torch.Tensor, scale: torch.Tensor, top: int, work: torch.Tensor) -> torch.Tensor:
    """The sum of |error|^POWER of each row."""
    return _error(rows, scale, top, work).abs_().pow_(POWER).sum(dim=1)


def _error(rows: torch.Tensor, scale: torch.Tensor, top: int, out: torch.Tensor) -> torch.Tensor:
    """What rounding to codes adds to each weight, in `out`."""
    codes = torch.div(rows, scale[:, None], out=out).round_().clamp_(-top - 1, top)
    return codes.mul_(scale[:, None]).sub_(rows)
