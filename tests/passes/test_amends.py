"""Amends: full calls that go beyond what they would be as shallow ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from skipping import OFTEN, SITE, cached, drawn_in, foretelling, left, quantized_with

from dgqc.bundle.vectors import random_inputs
from dgqc.ir.caching import CachingGraph, FeatureCache, cached_node, shallow_graph
from dgqc.ir.errors import VerificationError
from dgqc.ir.ops.cached import amended
from dgqc.ir.plans import CachedValue
from dgqc.ir.program import Program
from dgqc.ir.verify.verifier import verify
from dgqc.passes.caching.amends import FullCall, ShallowCall, amends, calls_to_amend
from dgqc.passes.caching.features import movement
from dgqc.passes.caching.fit import corrections, plain
from dgqc.passes.correction.pictures import first_samples
from dgqc.passes.graph.edit import clean
from dgqc.passes.lowering.cached import foretold_by, tables_of
from dgqc.passes.manager.failures import snapshot
from dgqc.passes.simulation.block_interpreter import BlockInterpreter


def test_a_full_call_goes_beyond_a_shallow_one() -> None:
    """Where the full call before left what foretells it; otherwise it says what it does alone."""
    program = cached(two=True, amends=True)
    runs, now = CachingGraph(program.graph), torch.tensor(2)
    cache, late, sample = FeatureCache(), FeatureCache(), random_inputs(program, 2)["sample"]
    runs.run(cache, 0, random_inputs(program, 0)["sample"])
    runs.run(late, 1, random_inputs(program, 0)["sample"])
    kept = torch.cat((cache.held.value, torch.zeros_like(cache.held.value)))
    alone, foretold = program.graph(sample, now), shallow_graph(program.graph)(sample, kept, now)
    assert runs.is_amended(cache, 2)
    assert not any(runs.is_amended(cache, step) for step in (0, 1, 3, 4))
    found = runs.run(cache, 2, sample)
    assert torch.equal(found, amended(alone, foretold, 0.75 * 2**15))
    assert not torch.equal(found, alone)
    assert torch.equal(runs.run(FeatureCache(), 2, sample), alone)
    assert runs.is_amended(late, 2)  # full in the place of the first call


def erring(program: Program, source: list[int]) -> tuple[Program, CachedValue]:
    """The quantized network, and what foretells far from it, so that shallow calls err alike."""
    seen = movement(program, SITE, 1, len(source), 16, "this")
    plan = corrections(seen, torch.tensor(source), 1, extrapolate=True)
    assert plan.older is not None
    plan = replace(plan, factor=plan.factor * 0, older=2 * plan.older.sign())
    return quantized_with(program, plan), plan


@pytest.mark.parametrize("source", [[0, 0, 2], [0, 1, 1, 3]])
def test_amends_bring_the_next_picture_closest(source: list[int]) -> None:
    """The last call, full, goes beyond what one or two full calls foretell, after one shallow call."""
    program = drawn_in(len(source))
    quantized, plan = erring(program, source)
    *others, found = amends(program, quantized, plan, 16, "this").tolist()
    assert not any(others)
    assert 0 < found < 4
    best, *others = (left(program, quantized, source, one) for one in (found, 0.0, found - 0.5, found + 0.5))
    assert best < others[0]
    assert best <= min(others)


def test_calls_are_as_many_as_are_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[type] = Counter()
    for kind in (BlockInterpreter, FullCall, ShallowCall):

        def counted(self: Any, *given: Any, kind: type = kind, run: Any = kind.run) -> Any:
            made[kind] += 1
            return run(self, *given)

        monkeypatch.setattr(kind, "run", counted)
    program = drawn_in(5)
    quantized, plan = erring(program, [0, 0, 2, 2, 4])
    made.clear()
    amends(program, quantized, plan, 16, "this")
    samples = len(first_samples(program, 16, "this")["sample"])
    floating = made[BlockInterpreter] - made[FullCall] - made[ShallowCall]
    found = [count / samples for count in (floating, made[FullCall], made[ShallowCall])]
    foreseen = calls_to_amend(5, interval=2)
    assert found == [foreseen.floating, foreseen.full, foreseen.shallow] == [5, 3, 4]


def test_amends_are_the_smaller_the_noisier_the_quantized_network_is() -> None:
    program = drawn_in(3)
    quantized, plan = erring(program, [0, 0, 2])
    noisy = replace(quantized, graph=snapshot(quantized))
    noisy.graph.up_input_scale = noisy.graph.up_input_scale * 16  # what is behind the cached value
    found = [float(amends(program, one, plan, 16, "this")[2]) for one in (quantized, noisy)]
    assert found[1] < found[0]


def test_only_full_calls_behind_shallow_ones_make_amends() -> None:
    program = drawn_in(5)
    found = amends(program, *erring(program, [0, 0, 2, 3, 3]), 16, "this")
    assert found.nonzero().flatten().tolist() == [2]


@pytest.mark.parametrize("beyond", [False, True])
def test_what_is_foretold_is_in_the_steps_of_the_call(beyond: bool) -> None:
    """Tables in whole numbers make of integers what the plan makes of the real numbers they stand for."""
    plan = foretelling(OFTEN, two=True, amends=beyond)
    steps = torch.tensor([[2.0, 6], [4, 3], [4, 3], [16, 1], [16, 1]], dtype=torch.float64) / 128
    tables = {name: one.double() / 2**15 for name, one in tables_of(plan, steps).items() if name != "source"}
    assert plan.older is not None
    assert foretold_by(torch.tensor(OFTEN)).tolist() == [0, 0, 1, 1, 3]
    kept, older = {1: (0, 0), 2: (1, 0), 3: (1, 0), 4: (3, 1)}, torch.tensor([[30.0, -50]]).double()
    for call, (one, before) in kept.items():
        if OFTEN[call] == call and not beyond:
            continue
        values = torch.tensor([40.0, 20]).double()
        wanted = plan.factor[call] * values * steps[one] + plan.offset[call]
        wanted = wanted + plan.older[call] * older[0] * steps[before]
        found = tables["factor"][call] * values + tables["older"][call] * older[0] + tables["offset"][call]
        assert torch.allclose(found * steps[call], wanted, atol=0.01)
    assert ("amends" in tables) == beyond
    if beyond:
        assert tables["amends"].tolist() == [0, 0.5, 0, 1, 0]
        far = tables_of(replace(plan, amends=torch.full((5,), 9.0).double()), steps)
        assert far["amends"].tolist() == [2**18] * 5


def test_without_amends_full_calls_take_nothing() -> None:
    amending, without = foretelling(OFTEN, True, True), plain(foretelling(OFTEN, True, True))
    assert without.older is not None
    assert amending.older is not None
    for call, source in enumerate(OFTEN):
        tables = (without.factor[call], without.offset[call], without.older[call])
        wanted = (amending.factor[call], amending.offset[call], amending.older[call])
        if call == source:
            wanted = (torch.ones(2).double(), torch.zeros(2).double(), torch.zeros(2).double())
        assert all(map(torch.equal, tables, wanted))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1, 0, 2, 0, 0], "of a shallow call, or of the first"),
        ([0, 0, 2, 1, 0], "of a shallow call, or of the first"),
        ([0, 0, 2], "amends of int32"),
        ([0, 0, 2**18 + 1, 0, 0], "beyond 2\\^18"),
        ([0, 0, -(2**18) - 1, 0, 0], "beyond 2\\^18"),
    ],
)
def test_amends_of_other_calls_are_found(table: list[int], message: str) -> None:
    program = cached(amends=True)
    program.graph.feature_cache_amends = torch.tensor(table, dtype=torch.int32)
    with pytest.raises(VerificationError, match=message):
        verify(program)


def test_amends_that_are_no_table_of_int32_are_found() -> None:
    program = cached(amends=True)
    program.graph.feature_cache_amends = program.graph.feature_cache_amends.to(torch.int16)
    with pytest.raises(VerificationError, match="amends of int16"):
        verify(program)
    program = cached(amends=True)
    node = cached_node(program.graph.graph)
    assert node is not None
    node.update_arg(8, node.args[0])
    clean(program.graph)
    with pytest.raises(VerificationError, match=r"amends=.* a constant of the graph"):
        verify(program)
