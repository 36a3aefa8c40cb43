"""`choose-probabilities`: each attention's probabilities get the quantizer that hurts its output least."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Inputs, reads
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.simulate import fake_quantize_log2, fake_quantize_uniform
from ...ir.plans import Coding, Granularity, ObservedProbabilities, Probabilities, QuantizedProbabilities
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import dgqc, module_path
from ..manager.registry import register_pass
from ..simulation.block_interpreter import BlockInterpreter, Rows

log = logging.getLogger("dgqc")

CANDIDATES: Mapping[Coding, Callable[[torch.Tensor, int, str], torch.Tensor]] = {
    Coding.LOG2: fake_quantize_log2,
    Coding.UNIFORM: fake_quantize_uniform,
}
"""Of equal ones, the first."""
BLOCKS = 8
"""Of a large attention's queries, evenly spaced: thousands of rows tell as much as all."""


@register_pass
@dataclass(frozen=True)
class ChooseProbabilities(Pass):
    """Powers of two or a uniform grid for each attention, whichever changes probabilities @ values less.

    Log2 codes (DGQ eq. 8-9) reach far but stand an octave apart at the top, too: where few keys share the
    attention, that error outweighs everything else in the network. Both are scaled by the largest
    probability of the row, at run time. Of attentions with more than 2^25 probabilities, eight blocks of
    queries are looked at.

    calls: of the schedule, evenly spaced. samples: of each call, at most.
    """

    calls: int = 5
    samples: int = 4

    name: ClassVar[str] = "choose-probabilities"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"probabilities"})

    def __post_init__(self) -> None:
        if min(self.calls, self.samples) < 1:
            raise DgqcError("choose-probabilities takes at least 1 call and 1 sample.")

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("choose-probabilities needs calibration samples; give some with --calib.")
        total = len(program.schedule)
        steps = sorted({round(i * (total - 1) / max(self.calls - 1, 1)) for i in range(self.calls)})

        def judged(read: tuple[int, Iterator[Inputs]]) -> _Judgement:
            judge = _Judge(program)
            inputs = {n: x[: self.samples] for n, x in next(read[1]).items()}
            for batch in arguments(program, inputs):
                judge.listen(batch, read[0])
            return judge.judgement()

        found = shared_out(judged, reads(program.calibration, steps), call_bytes(program, self.samples))
        judges = list(track(found, "choosing quantizers of attentions", len(steps)))
        in_part = {product for judge in judges for product in judge.in_part}
        plans, chosen = dict(program.plans), {}
        for product, site in _sites(program).items():
            name = str(site.args[1])
            plan = plans[name]
            assert isinstance(plan, Probabilities | ObservedProbabilities)
            lost = {
                coding: sum(x for judge in judges for x in judge.lost[product.name][coding])
                for coding in CANDIDATES
            }
            best = min(CANDIDATES, key=lost.__getitem__)
            plans[name] = QuantizedProbabilities(plan.bits, best, Granularity.ROW, None)
            chosen[module_path(site)] = best.value
        report: dict[str, Any] = {"chosen": chosen, "counts": dict(Counter(chosen.values()))}
        if in_part:
            report["by some of their queries"] = sorted(in_part)
            log.warning(
                "choose-probabilities looked at some of the queries of %d large attentions.", len(in_part)
            )
        return replace(program, plans=plans).with_report(self.name, report)


@dataclass(frozen=True)
class _Judgement:
    """What a judge found. in_part: modules. lost: by the product's name."""

    in_part: Collection[str]
    lost: Mapping[str, Mapping[Coding, Sequence[float]]]


def _sites(program: Program) -> dict[fx.Node, fx.Node]:
    """Of probabilities that are not decided on yet, by the product that reads them."""
    found: dict[fx.Node, fx.Node] = {}
    for node in program.graph.graph.nodes:
        plan = program.plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
        if isinstance(plan, Probabilities | ObservedProbabilities):
            (product,) = node.users
            found[product] = node
    return found


class _Judge(BlockInterpreter):
    """Runs the float graph and notes what each candidate changes of every attention's output.

    in_part: products of which only some queries were looked at. lost: summed squares, one for each time that
    something was looked at.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.sites = _sites(program)
        self.in_part: set[fx.Node] = set()
        self.lost: dict[fx.Node, dict[Coding, list[float]]] = {
            product: {coding: [] for coding in CANDIDATES} for product in self.sites
        }

    def judgement(self) -> _Judgement:
        lost = {product.name: found for product, found in self.lost.items()}
        return _Judgement([module_path(product) for product in self.in_part], lost)

    def listen(self, inputs: tuple[torch.Tensor, ...], step: int) -> None:
        with torch.no_grad():
            self.run(*inputs, torch.tensor(step))

    def run_node(self, n: fx.Node) -> Any:
        if n in self.sites:
            (probabilities, values), _ = self.fetch_args_kwargs_from_env(n)
            plan = self.plans[str(self.sites[n].args[1])]
            if isinstance(probabilities, Rows) and len(list(probabilities.blocks())) >= 2 * BLOCKS:
                self.in_part.add(n)
            for part in _parts(probabilities):
                for coding, quantize in CANDIDATES.items():
                    change = (quantize(part, plan.bits, Granularity.ROW.value) - part) @ values  # type: ignore[union-attr]
                    self.lost[n][coding].append(float(change.double().square().sum()))
        return super().run_node(n)


def _parts(probabilities: torch.Tensor | Rows) -> Iterator[torch.Tensor]:
    """All rows; blocks of them where they are many."""
    if isinstance(probabilities, Rows):
        blocks = list(probabilities.blocks())
        yield from (
            probabilities.part(first, last) for first, last in blocks[:: max(1, len(blocks) // BLOCKS)]
        )
    else:
        yield probabilities
