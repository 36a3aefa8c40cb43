"""Calls at a timestep that the schedule has twice."""

from __future__ import annotations

import copy
import logging
import threading
from dataclasses import replace

import pytest
import torch

from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.picture_steps import PictureSteps
from dgqc.ir.errors import DgqcError
from dgqc.ir.schedule import Schedule

TWICE = Schedule("PNDMScheduler", (900, 700, 700, 500))


def steps(count: PictureSteps, *timesteps: float) -> list[int | None]:
    return [count.step_of(TWICE, timestep) for timestep in timesteps]


def test_counts_through_pictures(caplog: pytest.LogCaptureFixture) -> None:
    count = PictureSteps()
    assert steps(count, *TWICE.timesteps, *TWICE.timesteps) == 2 * [0, 1, 2, 3]
    assert steps(count, 900, 700, 900, 700, 700) == [0, 1, 0, 1, 2]
    assert steps(count, 42) == [None]
    assert not caplog.records


def test_says_where_it_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    """Each call made twice, as where the halves of guidance are called one by one."""
    with caplog.at_level(logging.WARNING, "dgqc"):
        assert steps(PictureSteps(), 900, 900, 700, 700, 700, 700) == [0, 0, 1, 2, 1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "Timestep 700 stands in the schedule at steps 1 and 2, and this call follows none of the steps "
        "before; step 1 is taken. Name the step of each call, or call begin_picture() before each picture. "
        "Said once."
    ]


def test_a_picture_that_begins_in_the_middle(caplog: pytest.LogCaptureFixture) -> None:
    count = PictureSteps()
    assert steps(count, 900, 700) == [0, 1]
    count.begin()
    with caplog.at_level(logging.WARNING, "dgqc"):
        assert steps(count, 700, 700, 500) == [1, 2, 3]
    assert len(caplog.records) == 1


def test_threads_and_copies_count_by_themselves() -> None:
    count = PictureSteps()
    steps(count, 900, 700)
    assert copy.deepcopy(count).last is None
    found: list[int | None] = []
    thread = threading.Thread(target=lambda: found.extend(steps(count, 900)))
    thread.start()
    thread.join()
    assert found == [0]
    assert steps(count, 700) == [2]


@pytest.fixture(scope="module")
def twice(program: CompiledProgram) -> CompiledProgram:
    """The small program, as if its last two calls had one timestep."""
    first, second, _ = program.program.schedule.timesteps
    schedule = Schedule("PNDMScheduler", (first, second, second))
    return CompiledProgram(replace(program.program, schedule=schedule), program.provenance, {})


def test_calls_name_their_step(twice: CompiledProgram) -> None:
    sample = torch.randn(twice.program.inputs[0].shape, generator=torch.Generator().manual_seed(0))
    first, second, _ = twice.program.schedule.timesteps
    answers = [twice(sample, step=step) for step in range(3)]
    assert torch.equal(twice(sample, first), answers[0])
    assert torch.equal(twice.run(sample, second, step=2), answers[2])
    assert not torch.equal(answers[1], answers[2])
    with pytest.raises(DgqcError, match="at steps 1 and 2"):
        twice(sample, second)
    with pytest.raises(DgqcError, match="Step 0 of the schedule is at timestep"):
        twice(sample, second, step=0)
    with pytest.raises(DgqcError, match="no step 3 in a schedule of 3 calls"):
        twice(sample, step=3)
    with pytest.raises(DgqcError, match="its timestep, or its step"):
        twice(sample)


def test_a_context_that_the_model_ignores(program: CompiledProgram) -> None:
    """Pipelines hand every UNet2DConditionModel one, and those without cross-attention ignore it."""
    sample, context = torch.randn(program.program.inputs[0].shape), torch.randn(1, 7, 20)
    ignoring = replace(program.provenance, model="UNet2DConditionModel")
    given = CompiledProgram(program.program, ignoring, {})(sample, step=0, encoder_hidden_states=context)
    assert torch.equal(given, program(sample, step=0))
    with pytest.raises(DgqcError, match="no input encoder_hidden_states"):
        program(sample, step=0, encoder_hidden_states=context)
