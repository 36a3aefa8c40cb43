"""A compiled program beside its float model: what is measured, said, and done about it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler

import dgqc
from dgqc.bundle.report_record import ReportRecord
from dgqc.compiler import checking
from dgqc.compiler import repair as repairing
from dgqc.compiler.checking import check
from dgqc.compiler.driver import compile_with_samples
from dgqc.compiler.remedies import remedies
from dgqc.compiler.repair import Attempt, checked, repaired
from dgqc.compiler.request import Request
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.frontends.calibrating.calibrate import calibrate
from dgqc.frontends.loading.answering import answer_of
from dgqc.ir.calibration import Answers, Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.storage.schema import checked as checked_as_read
from dgqc.passes.manager.presets import changed_preset
from dgqc.report.quality import EXACT_DB, Quality, bound_for, decibels

Run = Callable[..., tuple[int, str, str]]
CHOSEN: dict[str, Any] = {"steps": 2, "samples": 2, "batch_size": 2}


def quality(least: float, bound: float = 20.0, drawing: float | None = None) -> Quality:
    return Quality({0: least, 4: least + 2}, drawing, "test", True, bound, {"up.conv": 7.0})


def test_decibels_of_known_noise() -> None:
    wanted = torch.ones(100)
    assert decibels(wanted, wanted * 1.1) == pytest.approx(20, abs=0.01)
    assert decibels(wanted, wanted) == EXACT_DB
    assert decibels(torch.zeros(2), torch.ones(2)) == decibels(wanted, wanted * torch.inf) == -EXACT_DB


@pytest.mark.parametrize(
    ("weights", "activations", "bound"),
    [
        *((8, 8, 20), (8, 6, 15), (4, 8, 15), (4, 6, 15), (4, 4, 10), (8, 2, 10)),
        *((3, 8, 10), (3, 6, 10), (2, 8, 5)),
    ],
)
def test_what_is_expected_of_widths(weights: int, activations: int, bound: float) -> None:
    assert bound_for(weights, activations) == bound


def test_a_drawing_counts_as_calls_do() -> None:
    assert quality(25).kept
    assert not quality(19.9).kept
    assert not quality(25, drawing=10.0).kept
    assert quality(25, drawing=10.0).sentence() == (
        "Signal to noise: 26.0 dB by call (worst 25.0 at call 0), 10.0 dB after a whole drawing, on samples "
        "that did not calibrate."
    )


def test_a_strangers_report_is_checked() -> None:
    found = quality(25).to_json()
    checked_as_read(ReportRecord, {"quality": found}, "report.json", "copy it")
    with pytest.raises(DgqcError, match=r"report\.json"):
        checked_as_read(ReportRecord, {"quality": found | {"calls": {"0": "loud"}}}, "report.json", "copy it")


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("w4a6", {"groups": "16"}, "w4a6g16"),
        ("w4a6g32", {"groups": "16"}, "w4a6g32"),
        ("w4a6,edges=8", {"edges": "16"}, "w4a6,edges=16"),
        ("eda-w4a6,iterations=20", {"weights": "8"}, "eda-w8a6,iterations=20"),
        ("w4a6g16,scale=tensor", {"activations": "8"}, "w4a8g16,scale=tensor"),
        ("w8a8", {"activations": "6"}, "w8a8"),
        ("w4a6", {"w8": "up.conv"}, "w4a6,w8=up.conv"),
        ("w8a6", {"w8": "up.conv"}, "w8a6"),
    ],
)
def test_presets_change_in_one_place(before: str, change: dict[str, str], after: str) -> None:
    assert changed_preset(before, **change) == after


def test_remedies_are_what_is_left_to_be_changed() -> None:
    request = Request("unet", "w4a6", samples=8)
    assert [one.option for one in remedies(request)] == [
        "--samples 32", "-O w4a6,edges=16", "-O w4a6g16", "-O w8a6", "-O w4a8",
    ]  # fmt: skip
    assert [one.option for one in remedies(Request("unet", "naive-w8a8,edges=16", samples=64))] == []
    assert [one.option for one in remedies(Request("unet", "w8a8", calibration="file"))] == [
        "-O w8a8,edges=16", "-O w8a8g16",
    ]  # fmt: skip
    assert [one.option for one in remedies(Request("unet", pass_pipeline="simulate"))] == ["--samples 64"]
    recorded = Request("unet", "w4a6", calibration="file")
    assert [one.option for one in remedies(recorded, ["up.conv", "down"])] == [
        "-O w4a6,edges=16", "-O w4a6g16", "-O w4a6,w8=up.conv+down", "-O w8a6", "-O w4a8",
    ]  # fmt: skip
    tried = replace(recorded, opt="w4a6,w8=up.conv+down")
    assert not any("w8=" in one.option for one in remedies(tried, ["up"]) if "down" not in one.option)
    assert not any("w8=" in one.option for one in remedies(replace(recorded, opt="w8a6"), ["up"]))


@pytest.fixture(scope="module")
def built(model_folder: Path) -> tuple[Request, CompiledProgram, Calibration | None]:
    request = Request(model_folder, "w8a8", **CHOSEN)
    return request, *compile_with_samples(request)


def test_a_program_is_close_on_samples_of_its_own(
    built: tuple[Request, CompiledProgram, Calibration | None],
) -> None:
    request, compiled, calibration = built
    found = check(request, compiled, calibration)
    assert found.unseen
    assert set(found.calls) == {0, 1}
    assert found.kept
    assert found.least > 25
    assert found.drawing is not None
    assert len(found.weakest) == 3


def test_a_broken_program_is_noticed(built: tuple[Request, CompiledProgram, Calibration | None]) -> None:
    request, compiled, calibration = built
    assert compiled.program.output_scale is not None
    louder = replace(compiled.program, output_scale=compiled.program.output_scale * 1.5)
    broken = CompiledProgram(louder, compiled.provenance, compiled.report)
    found = check(request, broken, calibration)
    assert not found.kept
    assert found.least < 7
    assert found.drawing is not None
    assert found.drawing < check(request, compiled, calibration).least


def test_a_recorded_picture_is_held_out(
    built: tuple[Request, CompiledProgram, Calibration | None], model_folder: Path
) -> None:
    drawn = built[2]
    assert drawn is not None

    def read(step: int) -> Iterator[Inputs]:
        for _ in range(4):
            yield from drawn.read(step)

    recorded = Calibration(drawn.schedule, read, False, "four times")
    found = checked(Request(model_folder, "w8a8", calibration=recorded), compile_with_samples)
    assert found.quality.unseen
    assert found.quality.drawing is None
    assert found.quality.origin == "the last picture of four times"
    assert found.compiled.provenance.calibration == "four times, without the last picture"
    assert found.compiled.report["observe-ranges"]["samples"] == 2 * 6
    assert found.request.calibration is recorded


def test_python_checks_as_the_command_line_does(model_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = dgqc.compile(model_folder, "w4a4", least=90, **CHOSEN).report["quality"]
    assert found["sentence"].endswith("on samples that did not calibrate.")
    assert f"{found['least']:.1f} dB is less than the 90 dB expected of w4a4" in caplog.text
    assert "-O w4a4g16" in caplog.text
    assert "quality" not in dgqc.compile(model_folder, "w4a4", check=False, **CHOSEN).report


def test_a_pipeline_draws_beside_recorded_samples(tmp_path: Path) -> None:
    """A whole drawing takes somebody who draws, at the recording's calls."""
    pipeline = DDIMPipeline(architectures.small(), DDIMScheduler())
    recorded = calibrate(pipeline, None, 2, tmp_path / "calib.safetensors", samples=9)
    compiled = dgqc.compile(pipeline, "w8a8", calibration=recorded)
    assert compiled.report["quality"]["drawing"] > 20
    assert compiled.report["quality"]["unseen"]


def test_recorded_samples_are_taken_again_and_that_is_said(
    built: tuple[Request, CompiledProgram, Calibration | None],
) -> None:
    request, compiled, calibration = built
    found = check(replace(request, calibration=calibration), compiled, calibration)
    assert not found.unseen
    assert found.drawing is None
    assert found.sentence().endswith("on samples that calibrated it.")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The timesteps that the float model itself is asked at."""
    found = list[int]()

    def answer(model: Any, inputs: Inputs, timestep: torch.Tensor) -> torch.Tensor:
        found.append(int(timestep))
        return answer_of(model, inputs, timestep)

    monkeypatch.setattr(checking, "answer_of", answer)
    return found


def test_of_samples_that_calibrated_the_model_is_asked_for_one_call(
    built: tuple[Request, CompiledProgram, Calibration | None], asked: list[int]
) -> None:
    request, compiled, calibration = built
    assert calibration is not None
    given = replace(request, calibration=calibration)
    known = check(given, compiled, calibration).calls
    first, last = compiled.program.schedule.timesteps
    assert asked == [first]
    assert check(given, compiled, replace(calibration, answers={})).calls == pytest.approx(known, abs=0.01)
    assert asked == [first, first, last]


def test_a_graph_that_answers_otherwise_than_the_model_is_not_believed(
    built: tuple[Request, CompiledProgram, Calibration | None], asked: list[int]
) -> None:
    request, compiled, calibration = built
    assert calibration is not None
    louder = {step: Answers(1.01 * one.first, 1.01 * one.last) for step, one in calibration.answers.items()}
    given = replace(request, calibration=calibration)
    found = check(given, compiled, replace(calibration, answers=louder))
    assert found.calls == check(given, compiled, replace(calibration, answers={})).calls
    assert asked == 2 * list(compiled.program.schedule.timesteps)


class Bench:
    """Stands for compiling and checking: says how good each request's program is, and which were made."""

    def __init__(self, figures: dict[str, float], compiled: CompiledProgram) -> None:
        self.figures, self.compiled = figures, compiled
        self.made: list[str] = []

    def build(self, request: Request) -> tuple[CompiledProgram, None]:
        self.made.append(f"{request.opt} {request.samples}")
        return self.compiled, None

    def check(
        self, request: Request, compiled: object, samples: object, *, held_out: object, bound: float | None
    ) -> Quality:
        return quality(self.figures[self.made[-1]], bound or 20.0)


@pytest.fixture
def bench(
    monkeypatch: pytest.MonkeyPatch, built: tuple[Request, CompiledProgram, Calibration | None]
) -> Callable[[dict[str, float]], Bench]:
    def made(figures: dict[str, float]) -> Bench:
        found = Bench(figures, built[1])
        monkeypatch.setattr(repairing, "check", found.check)
        return found

    return made


def first(bench: Bench, **options: Any) -> Attempt:
    return checked(Request("unet", "w8a8", samples=16, **options), bench.build)


def test_repair_keeps_what_gains_until_the_bound_is_met(bench: Callable[..., Bench]) -> None:
    fake = bench({"w8a8 16": 12, "w8a8 64": 12.1, "w8a8,edges=16 16": 17, "w8a8g16,edges=16 16": 21})
    found = repaired(first(fake), fake.build)
    assert found.quality.kept
    assert found.request.opt == "w8a8g16,edges=16"
    assert found.request.samples == 16
    assert fake.made == ["w8a8 16", "w8a8 64", "w8a8,edges=16 16", "w8a8g16,edges=16 16"]
    assert found.compiled.report["quality"]["least"] == 21
    assert found.warning() is None


def test_repair_ends_when_nothing_is_left(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dgqc")
    fake = bench(dict.fromkeys(["w8a8 16", "w8a8 64", "w8a8,edges=16 16", "w8a8g16 16"], 12.0))
    found = repaired(first(fake), fake.build)
    assert found.request.opt == "w8a8"
    assert "nothing is left to be changed" in caplog.text
    warning = found.warning()
    assert warning is not None
    assert "12.0 dB is less than the 20 dB expected of w8a8" in warning
    assert "up.conv (7.0 dB)" in warning


def test_repair_tries_as_many_changes_as_its_budget(
    bench: Callable[..., Bench], caplog: pytest.LogCaptureFixture
) -> None:
    fake = bench({"w8a8 16": 12, "w8a8 64": 12.1, "w8a8,edges=16 16": 17})
    found = repaired(first(fake, budget=2), fake.build)
    assert found.request.opt == "w8a8,edges=16"
    assert len(fake.made) == 3
    assert "the budget of 2 changes is spent" in caplog.text


@pytest.mark.parametrize("second", [1e-9, 1e9])
def test_what_repair_arrives_at_does_not_depend_on_time(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, second: float
) -> None:
    looks = count()
    for clock in ("monotonic", "perf_counter", "time"):
        monkeypatch.setattr(time, clock, lambda: next(looks) * second)
    fake = bench({"w8a8 16": 12, "w8a8 64": 12.1, "w8a8,edges=16 16": 17, "w8a8g16,edges=16 16": 21})
    assert repaired(first(fake), fake.build).request.opt == "w8a8g16,edges=16"
    assert next(looks) > 0


def test_repair_gives_the_weakest_layers_wider_weights(bench: Callable[..., Bench]) -> None:
    figures = dict.fromkeys(["w4a6 64", "w4a6,edges=16 64", "w4a6g16 64"], 8.0)
    fake = bench({**figures, "w4a6,w8=up.conv 64": 21.0})
    found = repaired(checked(Request("unet", "w4a6", samples=64), fake.build), fake.build)
    assert found.quality.kept
    assert found.request.opt == "w4a6,w8=up.conv"


def test_a_good_program_is_left_alone(bench: Callable[..., Bench]) -> None:
    fake = bench({"w8a8 16": 30})
    repaired(first(fake), fake.build)
    assert len(fake.made) == 1


def test_the_command_says_it_warns_and_keeps_it(run: Run, model_folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "out"
    options = ["--steps", 2, "--samples", 2, "-O", "w4a4", "--least", 90, "-o", place]
    code, out, error = run("compile", model_folder, *options)
    assert code == 0
    assert "Signal to noise: " in out
    assert "on samples that did not calibrate." in out
    assert "less than the 90 dB expected of w4a4" in error
    assert "-O w4a4g16" in error
    code, out, _ = run("report", place)
    assert "signal to noise by call" in out
    code, out, error = run("compile", model_folder, *options, "--check=off")
    assert code == 0
    assert "Signal to noise" not in out
