"""What runs of calls leave of the next picture, by which the full calls are chosen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from skipping import SITE, drawn_in, left, quantized_with

from dgqc.ir.plans import CachedValue
from dgqc.ir.program import Program
from dgqc.passes.caching import runs
from dgqc.passes.caching.amends import FullCall, ShallowCall, amends
from dgqc.passes.caching.features import movement
from dgqc.passes.caching.fit import by_call, corrections
from dgqc.passes.caching.full_calls import full_calls, lengths
from dgqc.passes.caching.runs import Foretelling, calls_to_measure, run_costs
from dgqc.passes.correction.pictures import first_samples
from dgqc.passes.manager.failures import snapshot
from dgqc.passes.simulation.block_interpreter import BlockInterpreter


@pytest.fixture(autouse=True)
def of_all_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PICTURES", 16)


def as_it_is(calls: int) -> CachedValue:
    one = torch.ones(calls, 2, dtype=torch.float64)
    return CachedValue(torch.zeros(calls, dtype=torch.int64), one, 0 * one, 1)


def costs(program: Program, quantized: Program | None = None, amend: bool = True) -> torch.Tensor:
    """Of runs of up to three calls; the last full call but one is the call before."""
    calls = len(program.schedule)
    foretelling = Foretelling(movement(program, SITE, 1, calls, 16, "this"), 1, 1)
    quantized = quantized or quantized_with(program, as_it_is(calls))
    return run_costs(program, quantized, foretelling, 3, amend, 16, "this")


def of_calls(count: int, seen: float = 1.0) -> Program:
    program = drawn_in(count, seen)
    times = tuple(float(count - call) for call in range(count))
    return replace(program, schedule=replace(program.schedule, timesteps=times))


@pytest.mark.parametrize(("source", "calls"), [([0, 1, 1, 3], 2), ([0, 1, 2, 3], 1), ([0, 1, 1, 1, 4], 3)])
def test_a_run_costs_what_is_left_behind_the_full_call_after_it(source: list[int], calls: int) -> None:
    program = of_calls(len(source))
    seen = movement(program, SITE, 1, len(source), 16, "this")
    plan = corrections(seen, torch.tensor(source), 1, extrapolate=True)
    quantized = quantized_with(program, plan)
    begin = source[-2]
    share = float(amends(program, quantized, plan, 16, "this")[-1])
    wanted = [left(program, quantized, source, one) for one in (share, 0.0)]
    found = [float(costs(program, amend=one)[begin, calls - 1]) for one in (True, False)]
    assert found == pytest.approx(wanted, rel=1e-4)
    assert (share > 0) == (calls > 1) == (found[0] < found[1])


def test_a_run_that_none_follows_costs_what_is_left_of_the_picture() -> None:
    program, source = of_calls(4), [0, 1, 1, 1]
    plan = corrections(movement(program, SITE, 1, 4, 16, "this"), torch.tensor(source), 1, extrapolate=True)
    wanted = left(program, quantized_with(program, plan), source, 0.0)
    assert float(costs(program)[1, 2]) == pytest.approx(wanted, rel=1e-4)


def test_what_is_left_is_told_as_the_next_call_sees_it() -> None:
    """Pictures of half the size twice as loud to calls: only the last, which none sees, is told as it is."""
    whole, half = costs(of_calls(4)), costs(of_calls(4, seen=2.0))
    ends = torch.zeros(4, 3, dtype=torch.bool)
    for begin in range(4):
        # Behind the last call, and behind the one in front of it, which is the full one after the run.
        ends[begin] = torch.arange(3) + begin >= 2
    assert torch.allclose(half[~ends], whole[~ends], rtol=1e-3)
    assert torch.allclose(half[ends], whole[ends] / 4, rtol=1e-3)


def test_what_quantization_does_to_features_is_in_the_cost() -> None:
    """The float network's features are the same; those of a coarser network foretell worse."""
    program = of_calls(4)
    quantized = quantized_with(program, as_it_is(4))
    noisy = replace(quantized, graph=snapshot(quantized))
    noisy.graph.up_input_scale = noisy.graph.up_input_scale * 16
    assert bool((costs(program, noisy)[:3, 1] > costs(program, quantized)[:3, 1]).all())


def test_calls_are_as_many_as_are_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    program, made = of_calls(5), Counter[type]()
    foretelling = Foretelling(movement(program, SITE, 1, 5, 16, "this"), 1, 1)
    quantized = quantized_with(program, as_it_is(5))
    for kind in (BlockInterpreter, FullCall, ShallowCall):

        def counted(self: Any, *values: Any, kind: type = kind, run: Any = kind.run) -> Any:
            made[kind] += 1
            return run(self, *values)

        monkeypatch.setattr(kind, "run", counted)
    run_costs(program, quantized, foretelling, 4, True, 16, "this")
    samples = len(first_samples(program, 16, "this")["sample"])
    floating = made[BlockInterpreter] - made[FullCall] - made[ShallowCall]
    found = tuple(count / samples for count in (floating, made[FullCall], made[ShallowCall]))
    assert found == calls_to_measure(5, interval=2)


@given(some.integers(2, 9), some.integers(2, 3), some.data())
@settings(deadline=None)
def test_the_runs_that_cost_least_are_chosen(calls: int, interval: int, data: some.DataObject) -> None:
    """Among all ways to take so many runs of calls."""
    count, _, most = lengths(calls, interval)
    number = some.integers(0, 99)
    rows = data.draw(
        some.lists(some.lists(number, min_size=most, max_size=most), min_size=calls, max_size=calls)
    )
    table = torch.tensor(rows, dtype=torch.float64)

    def total(starts: tuple[int, ...]) -> float:
        ends = (*starts[1:], calls)
        return sum(float(table[one, end - one - 1]) for one, end in zip(starts, ends, strict=True))

    ways = [(0, *others) for others in combinations(range(1, calls), count - 1)]
    short = [way for way in ways if max(b - a for a, b in zip(way, (*way[1:], calls), strict=True)) <= most]
    assert total(full_calls(by_call(table), interval, least=1)) == min(map(total, short))
