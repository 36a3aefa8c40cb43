"""`correct-output` and `correct-input`: fitted on pictures that are corrected already, tables alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from golden.graphs import attention, calibrated, decided, dense, drawn, sited
from torch import fx

from dgqc.ir.calibration import Calibration
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Correction
from dgqc.ir.program import Program
from dgqc.ir.sampler import (
    CLEAN,
    KEPT,
    NOISE,
    OUTPUT,
    STATE,
    Combination,
    Sampler,
    StepFactors,
    Term,
    Walk,
)
from dgqc.passes.correction.correct_input import CorrectInput
from dgqc.passes.correction.correct_output import CorrectOutput, ErrorModel
from dgqc.passes.correction.correct_schedule import CorrectSchedule
from dgqc.passes.correction.pictures import Affine, Corrected, fitted, guided, picture_rows
from dgqc.passes.graph.edit import dgqc
from dgqc.passes.simulation.simulate import Simulate


def program() -> Program:
    return drawn(decided(sited(attention(crossing=False))))


def calibration_of(one: Program) -> Calibration:
    assert one.calibration is not None
    return one.calibration


def test_a_call_is_fitted_when_those_before_it_are_corrected() -> None:
    """A fit of the first call that gives exactly what was wanted leaves the second call's picture right."""
    moved: list[float] = []

    def exact(wanted: torch.Tensor, found: torch.Tensor) -> Affine:
        moved.append(float((wanted - found).abs().max()))
        factor = torch.zeros(2, dtype=torch.float64)
        return Affine(factor, wanted.mean(dim=1)) if len(moved) == 1 else Affine(factor + 1, factor)

    one = program()
    row = torch.full((1, 2, 2), 0.5)
    given = replace(calibration_of(one), read=lambda step: iter([{"sample": row}]))
    fitted(replace(one, calibration=given), Corrected.OUTPUT, exact, 16, "correct-output")
    untouched: list[float] = []

    def none(wanted: torch.Tensor, found: torch.Tensor) -> Affine:
        untouched.append(float((wanted - found).abs().max()))
        return Affine(torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))

    fitted(replace(one, calibration=given), Corrected.OUTPUT, none, 16, "correct-output")
    assert moved[0] == untouched[0] > 0
    assert moved[1] != untouched[1]


def test_the_float_graph_stays_and_the_simulation_is_corrected() -> None:
    one = CorrectOutput().run(program())
    x, step = torch.full((1, 2, 2), 0.75), torch.tensor(1)
    assert torch.equal(one.graph(x, step), program().graph(x, step))
    plan = one.plans["output.correction"]
    assert isinstance(plan, Correction)
    plain, simulated = (Simulate().run(which).graph(x, step) for which in (program(), one))
    wanted = plain * plan.factor[1][:, None] + plan.offset[1][:, None]
    assert torch.allclose(simulated, wanted.float())


@pytest.mark.parametrize("method", list(ErrorModel))
def test_every_method_lowers_the_error_that_it_was_fitted_to(method: ErrorModel) -> None:
    def error(one: Program) -> float:
        batches = list(calibration_of(one).read(0))
        x, step = torch.cat([batch["sample"] for batch in batches]), torch.tensor(0)
        wanted = one.graph(x, step)
        return float((Simulate().run(one).graph(x, step) - wanted).square().sum())

    assert error(CorrectOutput(method).run(program())) < error(program())


def test_both_compose_and_neither_twice() -> None:
    both = CorrectInput().run(CorrectOutput().run(program()))
    assert {"output.correction", "sample.correction"} <= set(both.plans)
    sites = [node.args[1] for node in both.graph.graph.nodes if node.target is dgqc.site.default]
    assert sites.index("sample.output") < sites.index("sample.correction") < sites.index("to_q.input")
    with pytest.raises(DgqcError, match="The output is corrected already"):
        CorrectOutput().run(both)


def test_the_scheduler_makes_up_for_the_network() -> None:
    """On the samples that were fitted to, the quantized pictures come nearer; graph and plans stay."""
    one = program()
    fixed = CorrectSchedule().run(program())
    assert fixed.step_factors is not None
    assert fixed.plans.keys() == one.plans.keys()
    given = calibration_of(one)
    assert given.sampler is not None
    sampler = given.sampler()
    first = torch.cat([batch["sample"] for batch in given.read(0)])
    graph = Simulate().run(program()).graph

    def last(other: Sampler, network: fx.GraphModule) -> torch.Tensor:
        walk = Walk(other, first)
        for step in range(len(other)):
            rows = [network(row[None] * other.inputs[step], torch.tensor(step)) for row in walk.state]
            walk.follow(torch.cat(rows), torch.zeros_like(first))
        return walk.state

    wanted = last(sampler, one.graph)
    errors = [
        float((wanted - last(which, graph)).square().sum())
        for which in (sampler, sampler.times(fixed.step_factors))
    ]
    assert 0 < errors[1] < errors[0]


def test_factors_of_a_schedule_change_its_next_states_alone() -> None:
    terms = {
        Term(STATE, 0): 2.0,
        Term(KEPT, 1): 3.0,
        Term(OUTPUT, 1): 5.0,
        Term(CLEAN, 0): 7.0,
        Term(NOISE, 0): 11.0,
    }
    way = Combination(terms, clean=terms, kept=terms)
    sampler = Sampler((1.0,), 1.0, ((0.0, 1.0),), ((way,),), 1.0)
    (changed,) = sampler.times(StepFactors((0.5,), (3.0,))).calls[0]
    assert list(changed.next.values()) == [1.0, 1.5, 15.0, 21.0, 11.0]
    assert (changed.clean, changed.kept) == (terms, terms)


def test_what_is_fitted_later_goes_along_the_corrected_schedule() -> None:
    far = StepFactors((1.0, 1.0), (9.0, 9.0))
    offsets = [
        CorrectInput().run(one).plans["sample.correction"].offset
        for one in (program(), replace(program(), step_factors=far))
    ]
    assert torch.equal(offsets[0][0], offsets[1][0])
    assert not torch.equal(offsets[0][1], offsets[1][1])


def test_halves_of_guided_pictures_are_one() -> None:
    """Two rows from the same noise count as one picture, whose halves the scheduler gets mixed."""
    first, second = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    both = torch.cat([first, second, first])
    assert picture_rows(both, 2.0) == [(0, 2), (1,)]
    assert picture_rows(both, 1.0) == [(0,), (1,), (2,)]
    assert picture_rows(torch.cat([both, first]), 2.0) == [(0,), (1,), (2,), (3,)]
    answers = torch.tensor([1.0, 5, 3]).reshape(3, 1, 1)
    assert guided(answers, [(0, 2), (1,)], 2.0).flatten().tolist() == [5, 5]


def test_refusals() -> None:
    known = program()
    with pytest.raises(DgqcError, match="needs calibration samples"):
        CorrectOutput().run(replace(known, calibration=None))
    unknown = calibrated(decided(sited(attention(crossing=False))))
    with pytest.raises(DgqcError, match="nobody knows the scheduler"):
        CorrectInput().run(unknown)
    with pytest.raises(DgqcError, match=r"answers \(2, 2\) for a sample of \(2, 4\)"):
        CorrectOutput().run(drawn(decided(sited(dense()))))
    with pytest.raises(DgqcError, match="The schedule is corrected already"):
        CorrectSchedule().run(CorrectSchedule().run(program()))
    for item in (CorrectOutput, CorrectInput, CorrectSchedule):
        with pytest.raises(DgqcError, match="samples from 1 on"):
            item(samples=0)
