"""What each way to code attention probabilities would change of what attentions give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ...ir.ops.simulate import fake_quantize_log2, fake_quantize_uniform
from ...ir.plans import CodingLoss, Granularity, ObservedProbabilities, Plan, Probabilities
from ...ir.program import Program
from ..graph.edit import dgqc
from ..simulation.block_interpreter import Rows

BLOCKS = 8
"""Of a large attention's queries, evenly spaced: thousands of rows tell as much as all."""


def undecided(program: Program) -> dict[fx.Node, fx.Node]:
    """Sites of probabilities that are not decided on yet, by the product that reads them."""
    found: dict[fx.Node, fx.Node] = {}
    for node in program.graph.graph.nodes:
        plan = program.plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
        if isinstance(plan, Probabilities | ObservedProbabilities):
            (product,) = node.users
            found[product] = node
    return found


def total(losses: Sequence[CodingLoss]) -> CodingLoss:
    """Of one attention at several calls."""
    log2, uniform, in_part = zip(*((one.log2, one.uniform, one.in_part) for one in losses), strict=True)
    return CodingLoss(sum(log2), sum(uniform), any(in_part))


@dataclass(frozen=True)
class CodingListener:
    """Notes what each candidate changes of attentions' outputs, at one call. lost: by the site's name."""

    sites: Mapping[fx.Node, fx.Node]
    plans: Mapping[str, Plan]
    lost: dict[str, CodingLoss]

    @staticmethod
    def of(program: Program) -> CodingListener:
        return CodingListener(undecided(program), program.plans, {})

    def hear(self, product: fx.Node, probabilities: torch.Tensor | Rows, values: torch.Tensor) -> None:
        """A product that an interpreter is about to compute."""
        name = str(self.sites[product].args[1])
        bits: int = self.plans[name].bits  # type: ignore[union-attr]
        in_part = isinstance(probabilities, Rows) and len(list(probabilities.blocks())) >= 2 * BLOCKS
        found = []
        for part, weighed in _parts(probabilities, values):
            changes = (
                (quantize(part, bits, Granularity.ROW.value) - part) @ weighed
                for quantize in (fake_quantize_log2, fake_quantize_uniform)
            )
            log2, uniform = (float(change.double().square().sum()) for change in changes)
            found.append(CodingLoss(log2, uniform, in_part))
        self.lost[name] = total([*([self.lost[name]] if name in self.lost else []), *found])


def first_samples(x: Any, count: int, batch: int) -> Any:
    """A tensor or Rows of so many of a batch's samples; what isn't apart by sample stays whole."""
    length = x.shape[0]
    if count >= batch or length % batch:
        return x
    size = length // batch * count
    if not isinstance(x, Rows):
        return x[:size]
    return Rows(torch.Size((size, *x.shape[1:])), x.part)


def _parts(
    probabilities: torch.Tensor | Rows, values: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """All rows with the values that they weigh; blocks of them where they are many."""
    if isinstance(probabilities, Rows):
        blocks = list(probabilities.blocks())
        # An odd stride comes to other rows at each head.
        for block in blocks[:: len(blocks) // BLOCKS | 1]:
            yield probabilities.part(block), values[block[:-1]]
    else:
        yield probabilities, values
