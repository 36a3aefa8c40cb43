"""A small network with a skip connection around most of it, and a program that caches what comes up below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from golden.graphs import SCHEDULE, Sketch, decided, drawn, sited

from dgqc.ir.caching import CachingGraph, FeatureCache
from dgqc.ir.plans import CachedValue, QuantizedActivation16
from dgqc.ir.program import Program
from dgqc.ir.sampler import OUTPUT, STATE, Combination, Sampler, Term
from dgqc.ir.schedule import Schedule
from dgqc.passes.caching.cache_schedule import marked
from dgqc.passes.caching.cut import best_cut
from dgqc.passes.caching.float_drawing import FloatDrawing
from dgqc.passes.correction.pictures import first_samples, picture_rows, sampler_and_guidance
from dgqc.passes.graph.edit import aten, dgqc
from dgqc.passes.manager.failures import snapshot
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.simulation.block_interpreter import BlockInterpreter
from dgqc.passes.simulation.simulate import Simulate

AROUND = ([1, 1], [1, 1], [1, 1], 1)
CALLS = 5
SITE = "up.output"
SOURCE = (0, 0, 2, 2, 2)
"""The full call that each call of `cached` takes the feature of."""
OFTEN = (0, 1, 1, 3, 3)
"""The same with a third full call, which two before it foretell."""


def skipping(conditions: bool = False) -> Program:
    """A convolution, two more below it, and one of all that both ways bring; in the end a product of values.

    conditions: whether it sees a second input.
    """
    others = {"encoder_hidden_states": (1, 2, 4, 4)} if conditions else {}
    sketch = Sketch(sample=(1, 2, 4, 4), **others)  # type: ignore[arg-type]

    def convolution(name: str, x: torch.fx.Node, columns: int, channels: int) -> torch.fx.Node:
        few = torch.arange(columns * channels * 9).reshape(columns, channels, 3, 3) % 5 - 2
        weight = sketch.constant(f"{name}_weight", (few / 4).tolist())
        return sketch.call(name, aten.conv2d.default, x, weight, None, *AROUND)

    first = convolution("first", sketch.inputs["sample"], 2, 2)
    below = first
    if conditions:
        below = sketch.call("told", aten.add.Tensor, first, sketch.inputs["encoder_hidden_states"])
    below = sketch.call("act", aten.silu.default, convolution("down", below, 4, 2))
    below = convolution("up", below, 2, 4)
    both = sketch.call("both", aten.cat.default, [below, first], 1)
    return sketch.program(convolution("last", both, 2, 4))


def cached(
    conditions: bool = False, two: bool = False, amends: bool = False, calls: tuple[int, ...] = SOURCE
) -> Program:
    """`skipping` with integers, of five calls.

    two: calls take what two full ones left, where there are two. amends: full calls go beyond what they would
    be as shallow ones. calls: the full call that each takes the feature of.
    """
    program = decided(sited(skipping(conditions)))
    plans = {name: of_calls(plan, CALLS) for name, plan in program.plans.items()}
    program = replace(program, plans=plans, schedule=Schedule(SCHEDULE.scheduler, (9.0, 7.0, 5.0, 3.0, 1.0)))
    sites = [node for node in program.graph.graph.nodes if node.target is dgqc.site.default]
    values = [one for one in sites if isinstance(program.plans[str(one.args[1])], QuantizedActivation16)]
    cut = best_cut(program.graph.graph, values, {"sample"})
    assert cut is not None
    assert cut.node.args[1] == "up.output"
    return lowered(marked(program, cut.node, foretelling(calls, two, amends)))


def foretelling(calls: tuple[int, ...], two: bool, amends: bool) -> CachedValue:
    """What foretells a feature of two channels: other numbers at each call."""
    source, places = torch.tensor(calls), torch.arange(CALLS)
    own = source == places
    alone = (own if not amends else places == 0)[:, None]
    factor = torch.tensor([[1.0, 1], [0.75, 1.25], [1.0, 1], [0.5, 1.125], [-1, 0.25]], dtype=torch.float64)
    offset = torch.where(alone, 0.0, factor.flip(0) / 64)
    factor = torch.where(alone, 1.0, factor)
    second = sorted(set(calls))[1]
    older = torch.where((places > second)[:, None] & ~alone, -factor.flip(1) / 2, 0.0) if two else None
    beyond = torch.where(own & (places > 0), 0.25 + places.double() / 4, 0.0) if amends else None
    return CachedValue(source, factor, offset, 1, older, beyond)


def lowered(program: Program) -> Program:
    (lower,) = parse_pipeline("lower-integer")
    return PassManager([lower]).run(replace(program, facts=lower.requires))


def of_calls(plan: Any, calls: int) -> Any:
    """A plan of two calls as one of more, which take turns."""
    turns = torch.arange(calls) % 2
    tables = {name: one for name, one in vars(plan).items() if isinstance(one, torch.Tensor)}
    wide = {name: one[turns] for name, one in tables.items() if name in ("scale", "base", "multiple", "zero")}
    return replace(plan, **wide) if wide and not hasattr(plan, "codes") else plan


def drawn_in(calls: int, seen: float = 1.0) -> Program:
    """`skipping`, with pictures of so many calls, each of which sees so many times its picture."""
    program = drawn(decided(sited(skipping())))
    program = replace(program, plans={name: of_calls(plan, calls) for name, plan in program.plans.items()})
    both = Combination({Term(STATE, 0): 1.0, Term(OUTPUT, 0): -0.01 / seen})
    first: tuple[tuple[float, float] | None, ...] = ((0.0, 1.0), *(None,) * (calls - 1))
    sampler = Sampler((seen,) * calls, 1.0, first, ((both,),) * calls, None)
    assert program.calibration is not None
    return replace(program, calibration=replace(program.calibration, sampler=lambda: sampler))


def quantized_with(program: Program, plan: CachedValue) -> Program:
    """The quantized network, that caches what comes up from below."""
    copied = replace(program, graph=snapshot(program))
    feature = next(node for node in copied.graph.graph.nodes if node.args[1:] == (SITE,))
    return Simulate().run(marked(copied, feature, plan))


class Cached:
    """A quantized network's call, with so many amends at the last; each sample has its cache."""

    def __init__(self, program: Program, caches: list[FeatureCache], step: int, amends: float) -> None:
        self.runs, self.caches, self.step = CachingGraph(program.graph), caches, step
        last = len(self.runs.kinds.sources) - 1
        self.runs.kinds = replace(self.runs.kinds, amends=(*(0.0,) * last, amends))

    def run(self, *given: torch.Tensor) -> torch.Tensor:
        rows = zip(self.caches, *(one.split(1) for one in given[:-1]), strict=True)
        return torch.cat([self.runs.run(cache, self.step, *row) for cache, *row in rows])


def left(program: Program, quantized: Program, source: Sequence[int], amends: float) -> float:
    """What the quantized network leaves of the float network's pictures, squared, after the last call, full
    and with such amends. Each run of calls begins on the float network's own.

    program: of `drawn_in`. source: of quantized's cached value.
    """
    sampler, guidance = sampler_and_guidance(program, "this")
    inputs, total = first_samples(program, 16, "this"), 0.0
    for seed, row in enumerate(picture_rows(inputs["sample"], guidance)):
        own = {name: value[list(row)] for name, value in inputs.items()}
        picture = FloatDrawing(program, own, sampler, guidance, seed)
        other, caches = picture.start.along(sampler), [FeatureCache() for _ in row]
        for step, full in enumerate(source):
            picture.follow(picture.start, step, BlockInterpreter(program))
            picture.follow(other, step, Cached(quantized, caches, step, amends))
            if full == step and step < len(source) - 1:
                other = picture.start.along(sampler)
        total += float((other.state - picture.start.state).double().square().sum())
    return total
