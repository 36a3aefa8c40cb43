"""`cache-schedule`: most calls take what comes up from below from an earlier call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import channel_axis
from ...ir.plans import CachedValue, QuantizedActivation16
from ...ir.program import SEEN, Program
from ..base import Pass
from ..graph.edit import call, clean, dgqc, module_path, propagate
from ..manager.failures import snapshot
from ..manager.registry import register_pass
from ..simulation.simulate import Simulate
from .amends import amends
from .cut import Cut, best_cut
from .features import Movement, movement
from .fit import by_call, corrections, distances, plain
from .full_calls import full_calls, sources
from .runs import Foretelling, run_costs

NAME = "feature.cache"
PERCENT = 100


@register_pass
@dataclass(frozen=True)
class CacheSchedule(Pass):
    """Full calls leave a feature F that shallow calls take; CacheQuant (CVPR 2025), DeepCache's branch 0.

    The feature is the value that leaves a call the fewest multiply-adds, once known, while it still sees the
    sample: in a UNet what enters the last stage of the last block from below. A shallow call i takes it of
    the full calls j and k < j before it, channel by channel by least squares:

        F~_i = a F_j + c F_k + b

    or, without `extrapolate`, a = Cov(F_i, F_j) / Var(F_j), c = 0, b = E[F_i] - a E[F_j]. A full call makes
    amends for the shallow ones before it, which erred as it would have erred itself: its answer y, which
    would have been y~ with F~, becomes

        y + m (y - y~)

    m is least squares of the next picture, drawn by the quantized network (`amends.py`). Which calls are
    full is found by dynamic programming over K = ceil(T / N) runs of calls, each a full one and at most
    2 N - 1 shallow ones after it:

        cost of a run of n calls from call j on = E|x_(j + n + 1) - x'_(j + n + 1)|^2

    x: the pictures that the float network draws; x': those of the quantized network, which takes the run's
    calls from x_(j + 1) on and makes amends at call j + n (`runs.py`). A foretold feature is told what
    quantization did to the two it is foretold from, the louder the farther it goes beyond them, the same at
    each call of a run; that the float network's features can't tell. While runs are measured, call k is
    j - N. Without `weigh` it is the paper's cost, sum_i |F_i - F_j|_1, and each run has at least ceil(N / 2)
    calls. Coefficients are of the float network's own drawings.

    Deviations. `weigh`, `extrapolate` and `amend` are ours. The paper names the feature by its module; here
    the graph is cut, so that any network with a skip connection around most of it will do. A second
    correction, of the quantization errors of the layers that read the feature, is left out: their groups have
    scales of their own at each call. PLMS's first two calls count as two. A drawing that begins in the middle
    has a full first call, corrected as if it was shallow; full calls make no amends until what foretells them
    is there. With an interval of 1 nothing changes.

    interval: N, how many calls one full call stands for on average. samples: of the first call, from which
    drawings begin. correct: false leaves a = 1, b = 0, nothing of k and no amends.
    """

    interval: int = 3
    samples: int = 16
    correct: bool = True
    weigh: bool = True
    extrapolate: bool = True
    amend: bool = True

    name: ClassVar[str] = "cache-schedule"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def __post_init__(self) -> None:
        for option in ("interval", "samples"):
            if (value := getattr(self, option)) < 1:
                raise DgqcError(f"cache-schedule takes {option} from 1 on, not {value}.")

    def run(self, program: Program) -> Program:
        calls = len(program.schedule)
        if self.interval == 1 or calls == 1:
            return program.with_report(self.name, {"full-calls": list(range(calls)), "percent": PERCENT})
        if NAME in program.plans:
            raise DgqcError("A feature is cached already; leave one of the two cache-schedule out.")
        cut = _cut(program)
        starts, plan = self._found(program, cut.node)
        shallow = cut.shallow / cut.whole
        times = calls - len(starts) + (0 if plan.amends is None else int(plan.amends.count_nonzero()))
        report = {
            "feature": module_path(cut.node),
            "full-calls": list(starts),
            "shallow-percent": round(PERCENT * shallow, 1),
            "percent": round(PERCENT * (len(starts) + times * shallow) / calls, 1),
        }
        if plan.amends is not None:
            report["amends"] = plan.amends[list(starts)].tolist()
        return marked(program, cut.node, plan).with_report(self.name, report)

    def _found(self, program: Program, feature: fx.Node) -> tuple[tuple[int, ...], CachedValue]:
        """Which calls are full, and what the others take of the feature."""
        site, axis = str(feature.args[1]), channel_axis(feature)
        calls, most, both = len(program.schedule), 2 * self.interval, self.extrapolate and self.correct
        seen = movement(program, site, axis, min(calls, 2 * most + 1), self.samples, self.name)
        if self.weigh:
            foretelling = Foretelling(seen, axis, self.interval if both else None)
            quantized = _quantized(program, feature, _as_it_is(seen, axis))
            makes = self.amend and self.correct
            cost = run_costs(program, quantized, foretelling, most, makes, self.samples, self.name)
            starts = full_calls(by_call(cost), self.interval, least=1)
        else:
            starts = full_calls(distances(seen, most), self.interval)
        plan = corrections(seen, sources(starts, calls), axis, both)
        if not (self.amend and self.correct):
            return starts, plain(plan if self.correct else _uncorrected(plan))
        beyond = amends(program, _quantized(program, feature, plan), plan, self.samples, self.name)
        return starts, replace(plan, amends=beyond) if bool(beyond.any()) else plain(plan)


def _cut(program: Program) -> Cut:
    graph = program.graph.graph
    values = [
        node
        for node in graph.nodes
        if node.target is dgqc.site.default
        and isinstance(program.plans.get(str(node.args[1])), QuantizedActivation16)
    ]
    found = best_cut(graph, values, SEEN)
    if found is None:
        raise DgqcError(
            "cache-schedule finds no value that a call could take from an earlier one: none of the network's "
            "meets the sample again, by a skip connection, in front of a product; leave cache-schedule out."
        )
    return found


def _uncorrected(plan: CachedValue) -> CachedValue:
    return replace(plan, factor=torch.ones_like(plan.factor), offset=torch.zeros_like(plan.offset))


def _as_it_is(seen: Movement, axis: int) -> CachedValue:
    """Shallow calls take the value as it is given."""
    one = torch.ones_like(seen.total)
    return CachedValue(torch.zeros(len(one), dtype=torch.int64), one, torch.zeros_like(one), axis)


def _quantized(program: Program, feature: fx.Node, plan: CachedValue) -> Program:
    """A copy of the program at the simulated level, with the cache."""
    copied = replace(program, graph=snapshot(program))
    nodes = {node.name: node for node in copied.graph.graph.nodes}
    return Simulate().run(marked(copied, nodes[feature.name], plan))


def marked(program: Program, feature: fx.Node, plan: CachedValue) -> Program:
    """The program with a site for the cache behind that of the value, which all its readers read."""
    graph = program.graph.graph
    users = list(feature.users)
    with graph.inserting_after(feature):
        site = call(graph, dgqc.site.default, (feature, NAME), feature, "feature_cache")
    for user in users:
        user.replace_input_with(feature, site)
    clean(program.graph)
    result = replace(program, plans={**program.plans, NAME: plan})
    propagate(result)
    return result
