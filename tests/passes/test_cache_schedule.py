"""`cache-schedule`: where the network is cut, which calls are full, what the others take."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from golden.graphs import Sketch, calibrated, decided, dense, drawn, sited
from skipping import CALLS, SOURCE, cached, skipping

from dgqc.backends import reference
from dgqc.backends.target import Target
from dgqc.bundle.vectors import random_inputs
from dgqc.ir.caching import (
    CachingGraph,
    FeatureCache,
    calls_of,
    shallow_graph,
    skipped_nodes,
)
from dgqc.ir.errors import DgqcError, VerificationError
from dgqc.ir.plans import CachedValue
from dgqc.ir.printer import format_graph
from dgqc.ir.program import Program
from dgqc.ir.verify.verifier import verify
from dgqc.passes.caching.cache_schedule import CacheSchedule
from dgqc.passes.caching.cut import best_cut
from dgqc.passes.caching.features import Movement, movement
from dgqc.passes.caching.fit import corrections, distances, fitted
from dgqc.passes.graph.edit import aten
from dgqc.passes.lowering.cached import scale_before
from dgqc.passes.simulation.simulate import Simulate


def small() -> Program:
    return drawn(decided(sited(skipping())))


def planned(program: Program) -> CachedValue:
    plan = program.plans["feature.cache"]
    assert isinstance(plan, CachedValue)
    return plan


def test_an_interval_of_one_changes_nothing() -> None:
    before, after = small(), CacheSchedule(interval=1).run(small())
    assert format_graph(replace(after, report={})) == format_graph(replace(before, report={}))
    assert after.plans.keys() == before.plans.keys()


def test_the_cut_spares_what_is_below_the_skip() -> None:
    program = skipping()
    graph = program.graph.graph
    cut = best_cut(graph, [node for node in graph.nodes if node.op == "call_function"], {"sample"})
    assert cut is not None
    assert cut.node.name == "up"
    assert (cut.shallow, cut.whole) == (16 * 9 * (4 + 8), 16 * 9 * (4 + 8 + 8 + 8))


def test_an_outer_sum_is_no_cut() -> None:
    """output = sample + f(sample): a call that keeps f would compute nothing."""
    sketch = Sketch(sample=(1, 2, 4))
    y = sketch.linear("proj", sketch.inputs["sample"], [[1.0] * 4] * 4)
    graph = sketch.program(sketch.call("sum", aten.add.Tensor, y, sketch.inputs["sample"])).graph.graph
    assert best_cut(graph, [node for node in graph.nodes if node.op == "call_function"], {"sample"}) is None


@pytest.mark.parametrize("two", [False, True])
def test_shallow_calls_take_what_their_full_call_left(two: bool) -> None:
    program, cache = cached(two=two), FeatureCache()
    kept = torch.Tensor()
    for step, source in enumerate(SOURCE):
        given = random_inputs(program, step)
        found = reference.run(program, given, step, cache)
        if step == source:
            assert torch.equal(found, reference.run(program, given, step))
            older, kept = kept, cache.held.value
        else:
            both = torch.cat((kept, older if len(older) else torch.zeros_like(kept))) if two else kept
            wanted = shallow_graph(program.graph)(given["sample"], both, torch.tensor(step))
            assert torch.equal(found, wanted)
            assert not torch.equal(found, reference.run(program, given, step))


def test_an_older_value_is_that_of_the_full_call_before() -> None:
    """Full calls in each other's place leave it; a picture that begins in the middle has full calls until it
    is there."""
    program, cache = cached(two=True), FeatureCache()
    runs = CachingGraph(program.graph)
    sample = random_inputs(program, 0)["sample"]
    for step, shallow, older in ((1, False, None), (2, False, 1), (3, True, 1), (2, False, 1), (4, True, 1)):
        assert runs.is_shallow(cache, step) == shallow
        before = cache.held
        runs.run(cache, step, sample)
        assert (cache.held is before) == shallow
        assert (cache.held.older is None) == (older is None)
    for step in (3, 4):
        cache = FeatureCache() if step == 3 else cache
        assert not runs.is_shallow(cache, step)
        runs.run(cache, step, sample)
        assert cache.held.older is None


def test_the_simulated_graph_corrects_by_the_plan() -> None:
    program = CacheSchedule(interval=2).run(small())
    plan, graph = planned(program), Simulate().run(program).graph
    x, y = (torch.full((1, 2, 4, 4), number) for number in (0.5, -0.75))
    runs, cache = CachingGraph(graph), FeatureCache()
    runs.run(cache, 0, x)
    feature = cache.held.value
    corrected = feature * plan.factor[1][:, None, None] + plan.offset[1][:, None, None]
    cache.held = replace(cache.held, value=corrected.float())
    ones, zeros = torch.ones(2, 2).double(), torch.zeros(2, 2).double()
    plain = replace(plan, factor=ones, offset=zeros, older=zeros)
    without = CachingGraph(
        Simulate().run(replace(program, plans={**program.plans, "feature.cache": plain})).graph
    )
    wanted = without.run(cache, 1, y)
    cache.held = replace(cache.held, value=feature)
    assert torch.allclose(runs.run(cache, 1, y), wanted)


def test_correcting_lowers_the_features_error() -> None:
    program = small()
    seen = movement(program, "up.output", 1, 4, 16, "cache-schedule")
    plan = corrections(seen, torch.tensor([0, 0]), 1, extrapolate=False)
    assert plan.older is None
    mean, square = seen.total / seen.count, seen.mixed[:, 0] / seen.count
    mixed = seen.mixed[1, 1] / seen.count

    def error(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """E[(a x + b - y)^2]."""
        x, y = (mean[0], square[0]), (mean[1], square[1])
        return a**2 * x[1] + b**2 + y[1] + 2 * a * b * x[0] - 2 * a * mixed - 2 * b * y[0]

    left = error(plan.factor[1], plan.offset[1])
    assert bool((left <= error(torch.ones(2).double(), torch.zeros(2).double())).all())
    nudged = [error(plan.factor[1] + d, plan.offset[1] + e) for d in (-0.01, 0.01) for e in (-0.01, 0.01)]
    assert all(bool((left <= one + 1e-9).all()) for one in nudged)
    assert torch.equal(plan.factor[0], torch.ones(2).double())
    assert torch.equal(plan.offset[0], torch.zeros(2).double())


def moving(*values: list[float]) -> Movement:
    """Of values at some calls, four pixels of one channel each."""
    rows = torch.tensor(values, dtype=torch.float64)
    calls = len(rows)
    mixed, distance = torch.zeros(calls, calls, 1).double(), torch.zeros(calls, calls).double()
    for call in range(calls):
        for back in range(call + 1):
            mixed[call, back] = rows[call] @ rows[call - back]
            distance[call, back] = (rows[call] - rows[call - back]).abs().sum()
    return Movement(distance, mixed, rows.sum(dim=1, keepdim=True), rows.shape[1])


def test_two_full_calls_foretell_what_goes_straight_on() -> None:
    """F_i = p + i q: F_3 = 1.5 F_2 - 0.5 F_0, which no multiple of F_2 is."""
    p, q = torch.tensor([3.0, -1, 2, 0]), torch.tensor([-1.0, 2, 5, 1])
    seen = moving(*((p + call * q).tolist() for call in range(4)))
    plan = corrections(seen, torch.tensor([0, 0, 2, 2]), 1, extrapolate=True)
    assert plan.older is not None
    assert torch.allclose(plan.factor[3], torch.tensor([1.5]).double(), atol=0.02)
    assert torch.allclose(plan.older[:, 0], torch.tensor([0, 0, 0, -0.5]).double(), atol=0.02)
    assert float(plan.factor[2, 0]) == pytest.approx(float(fitted(seen, 2, 0, None).factor), rel=1e-5)
    assert float(distances(seen, 3)[1, 2, 0]) == float((2 * q).abs().sum())


def test_older_values_are_taken_in_steps_of_the_later_one() -> None:
    steps = torch.tensor([[2.0, 6], [2, 6], [4, 3], [4, 3], [8, 1]], dtype=torch.float64)
    found = scale_before(torch.tensor([0, 0, 2, 2, 4]), steps)
    assert found.tolist() == [[1, 1], [1, 1], [0.5, 2], [0.5, 2], [0.5, 3]]


def test_halves_of_a_drawing_have_a_cache_each() -> None:
    program = cached(conditions=True)
    call = calls_of(lambda *given: reference.run(program, *given), program)
    halves = [
        {"encoder_hidden_states": random_inputs(program, seed)["encoder_hidden_states"]} for seed in (1, 2)
    ]
    alone = [FeatureCache(), FeatureCache()]
    for step in range(CALLS):
        sample = random_inputs(program, step)["sample"]
        for given, cache in zip(halves, alone, strict=True):
            wanted = reference.run(program, {"sample": sample, **given}, step, cache)
            assert torch.equal(call(sample, given, step), wanted)


def test_what_is_skipped() -> None:
    program = cached()
    assert {"down", "act", "up"} <= skipped_nodes(program.graph.graph)
    assert not skipped_nodes(program.graph.graph) & {"first", "last", "feature_cache_value"}


def test_refusals() -> None:
    with pytest.raises(DgqcError, match="from 1 on"):
        CacheSchedule(interval=0)
    with pytest.raises(DgqcError, match="by a skip connection"):
        CacheSchedule(interval=2).run(drawn(decided(sited(dense()))))
    with pytest.raises(DgqcError, match="nobody knows the scheduler"):
        CacheSchedule(interval=2).run(calibrated(decided(sited(skipping()))))
    once = CacheSchedule(interval=2).run(small())
    with pytest.raises(DgqcError, match="cached already"):
        CacheSchedule(interval=2).run(once)


class Forgetful(Target):
    name = "forgetful"

    def emit(self, *given: object, **options: object) -> None:
        """Nothing."""


def test_a_target_that_keeps_nothing_refuses() -> None:
    with pytest.raises(DgqcError, match="target forgetful keeps nothing from call to call"):
        Forgetful().lay_out(cached())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([0, 0, 2, 3, 2], "dropped or moved"),
        ([0, 0, 2, 1, 2], "dropped or moved"),
        ([0, 0, 2, 2], "one number"),
    ],
)
def test_calls_out_of_order_are_found(table: list[int], message: str) -> None:
    program = cached()
    program.graph.feature_cache_source = torch.tensor(table, dtype=torch.int32)
    with pytest.raises(VerificationError, match=message):
        verify(program)
