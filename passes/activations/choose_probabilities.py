"""`choose-probabilities`: each attention's probabilities get the quantizer that hurts its output least."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Inputs, reads, spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import (
    Coding,
    CodingLoss,
    Granularity,
    ObservedProbabilities,
    Probabilities,
    QuantizedProbabilities,
)
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import module_path
from ..manager.registry import register_pass
from ..simulation.block_interpreter import BlockInterpreter
from .coding_losses import CodingListener, total, undecided

log = logging.getLogger("dgqc")


@register_pass
@dataclass(frozen=True)
class ChooseProbabilities(Pass):
    """Powers of two or a uniform grid for each attention, whichever changes probabilities @ values less.

    Log2 codes (DGQ eq. 8-9) reach far but stand an octave apart at the top, too: where few keys share the
    attention, that error outweighs everything else in the network. Both are scaled by the largest
    probability of the row, at run time. Of attentions with more than 2^25 probabilities, eight blocks of
    queries are looked at. Nothing runs where `observe-ranges{attentions=...}` heard it all already.

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
        sites = {str(site.args[1]): site for site in undecided(program).values()}
        lost = self._lost(program, list(sites))
        plans, chosen = dict(program.plans), {}
        for name, site in sites.items():
            plan = plans[name]
            assert isinstance(plan, Probabilities | ObservedProbabilities)
            # Of equal ones, powers of two.
            best = Coding.LOG2 if lost[name].log2 <= lost[name].uniform else Coding.UNIFORM
            plans[name] = QuantizedProbabilities(plan.bits, best, Granularity.ROW, None)
            chosen[module_path(site)] = best.value
        report: dict[str, Any] = {"chosen": chosen, "counts": dict(Counter(chosen.values()))}
        in_part = sorted({module_path(site) for name, site in sites.items() if lost[name].in_part})
        if in_part:
            report["by some of their queries"] = in_part
            log.warning(
                "choose-probabilities looked at some of the queries of %d large attentions.", len(in_part)
            )
        return replace(program, plans=plans).with_report(self.name, report)

    def _lost(self, program: Program, names: Sequence[str]) -> Mapping[str, CodingLoss]:
        """By the site's name: as it was seen with the ranges, or as it is found now."""
        plans = {name: program.plans[name] for name in names}
        seen = {
            name: plan.lost
            for name, plan in plans.items()
            if isinstance(plan, ObservedProbabilities) and plan.lost is not None
        }
        if len(seen) == len(names):
            return seen
        if program.calibration is None:
            raise DgqcError("choose-probabilities needs calibration samples; give some with --calib.")
        steps = spaced(len(program.schedule), self.calls)

        def judged(read: tuple[int, Iterator[Inputs]]) -> Mapping[str, CodingLoss]:
            judge = _Judge(program)
            inputs = {n: x[: self.samples] for n, x in next(read[1]).items()}
            for batch in arguments(program, inputs):
                judge.judge(batch, read[0])
            return judge.listener.lost

        found = shared_out(judged, reads(program.calibration, steps), call_bytes(program, self.samples))
        calls = list(track(found, "choosing quantizers of attentions", len(steps)))
        return {name: total([call[name] for call in calls]) for name in names}


class _Judge(BlockInterpreter):
    """Runs the float graph and lets the listener hear of every attention."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.listener = CodingListener.of(program)

    def judge(self, inputs: tuple[torch.Tensor, ...], step: int) -> None:
        with torch.no_grad():
            self.run(*inputs, torch.tensor(step))

    def run_node(self, n: fx.Node) -> Any:
        if n in self.listener.sites:
            (probabilities, values), _ = self.fetch_args_kwargs_from_env(n)
            self.listener.hear(n, probabilities, values)
        return super().run_node(n)
