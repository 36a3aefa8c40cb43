"""Float in, float out, and everything that a call refuses."""

from __future__ import annotations

import copy
import pickle

import architectures
import pytest
import torch

from dgqc.execution import ready
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.verify import evenly_spaced, verify
from dgqc.ir.errors import DgqcError


@pytest.fixture
def sample() -> torch.Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_a_batch_is_its_samples(program: CompiledProgram, sample: torch.Tensor) -> None:
    time = program.program.schedule.timesteps[1]
    together = program(sample, time)
    assert together.shape == sample.shape
    assert together.dtype == torch.float32
    for index in range(2):
        assert torch.equal(program(sample[index : index + 1], time), together[index : index + 1])


def test_backends_agree(program: CompiledProgram, sample: torch.Tensor) -> None:
    time = program.program.schedule.timesteps[0]
    assert torch.equal(program.run(sample, time, backend="c"), program.run(sample, time, backend="reference"))


def test_close_to_the_float_model(program: CompiledProgram, sample: torch.Tensor) -> None:
    time = program.program.schedule.timesteps[2]
    with torch.no_grad():
        wanted = architectures.small()(sample, time).sample
    error = (program(sample, time) - wanted).square().sum() / wanted.square().sum()
    assert error < 0.1


def test_saturated_inputs_are_counted_and_said_once(
    program: CompiledProgram, sample: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    program = copy.deepcopy(program)
    time = program.program.schedule.timesteps[0]
    program(sample * 1e-3, time)
    assert not program.saturated
    for _ in range(2):
        program(sample * 100, time)
    assert program.saturated["sample"] > 100
    (record,) = caplog.records
    assert "beyond what calibration saw" in record.message


def test_a_copy_and_a_pickle_answer_alike(program: CompiledProgram, sample: torch.Tensor) -> None:
    time = program.program.schedule.timesteps[1]
    expected = program(sample, time)
    for other in (copy.deepcopy(program), pickle.loads(pickle.dumps(program))):
        assert torch.equal(other(sample, time), expected)
        assert other.provenance == program.provenance


def test_dtype_follows_the_sample(program: CompiledProgram, sample: torch.Tensor) -> None:
    time = torch.tensor(program.program.schedule.timesteps[0])
    assert program(sample.half(), time).dtype == torch.float16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:, :2], "the program was compiled for"),
        (lambda s: s * float("nan"), "not finite"),
        (lambda s: s.to(torch.int32), "is torch.int32, and the answer would be too"),
        (lambda s: s > 0, "is torch.bool; give real numbers"),
        (lambda s: s.to(torch.complex64), "is torch.complex64; give real numbers"),
        (lambda s: s.to_sparse(), "holds no plain numbers"),
        (lambda s: s.to("meta"), "holds no plain numbers"),
        (lambda s: s[:0], "give at least one sample"),
        (lambda s: s.sum(), "give at least one sample"),
        (lambda s: s[0], "the program was compiled for"),
        (lambda s: s[:, :, :0], "the program was compiled for"),
    ],
)
def test_wrong_samples(program: CompiledProgram, sample: torch.Tensor, change: object, message: str) -> None:
    assert callable(change)
    with pytest.raises(DgqcError, match=message):
        program(change(sample), program.program.schedule.timesteps[0])


def test_inputs_that_the_model_does_not_take(program: CompiledProgram, sample: torch.Tensor) -> None:
    labels = torch.zeros(2)
    with pytest.raises(DgqcError, match="has no input class_labels; it takes sample, so call it without"):
        program(sample, program.program.schedule.timesteps[0], class_labels=labels)


def test_missing_inputs(program: CompiledProgram) -> None:
    with pytest.raises(DgqcError, match="needs the input sample"):
        program.answer({}, program.program.schedule.timesteps[0])


def test_several_timesteps(program: CompiledProgram, sample: torch.Tensor) -> None:
    with pytest.raises(DgqcError, match="one timestep"):
        program(sample, torch.tensor(program.program.schedule.timesteps[:2]))


def test_verify_finds_a_difference(program: CompiledProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = program.run_integers

    def broken(inputs: dict[str, torch.Tensor], step: int, *, backend: str | None = None) -> torch.Tensor:
        output = whole(inputs, step, backend="reference").clone()
        if backend == "c" and step == 1:
            output[0, 1, 2, 3] += 1
        return output

    monkeypatch.setattr(program, "run_integers", broken)
    found = verify(program)
    assert not found.bit_exact
    assert found.difference is not None
    assert (found.difference.step, found.difference.index) == (1, (0, 1, 2, 3))


def test_evenly_spaced() -> None:
    assert evenly_spaced(5, None) == (0, 1, 2, 3, 4)
    assert evenly_spaced(25, 3) == (0, 12, 24)
    assert evenly_spaced(25, 1) == (0,)


def test_build_makes_ready_and_says_for_whom(
    program: CompiledProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = copy.copy(program)
    assert fresh.build("reference") == "reference"
    with pytest.raises(DgqcError, match="fpga"):
        fresh.build("fpga")
    told: list[str] = []
    name = fresh.build(say=told.append)
    assert told[-1].startswith(f"The program is ready in {name}, after ")
    monkeypatch.setattr(ready, "open_backend", lambda *arguments: pytest.fail("it was ready"))
    inputs = {one.name: torch.zeros(one.shape) for one in program.provenance.inputs if one.name != "timestep"}
    assert fresh.answer(inputs, step=0).shape[0] == 1
