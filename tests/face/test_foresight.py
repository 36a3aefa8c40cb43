"""What a compile is expected to take, beside what it takes; and what happens where there is no room."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import architectures
import pytest

import dgqc
from dgqc.compiler.announcement import check_room
from dgqc.ir.errors import DgqcError
from dgqc.ir.progress import CHECKING, WRITING
from dgqc.ir.spans import amount, duration
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.manager.presets import pipeline_for
from dgqc.report import machine as machines
from dgqc.report.beside import asks_gradients, calls_beside, calls_to_check
from dgqc.report.foresight import Foresight, Work, call_seconds, foresee
from dgqc.report.machine import Machine, this_machine

Run = Callable[..., tuple[int, str, str]]
WORK = Work(
    nodes=1000,
    layers=100,
    weights=10**7,
    macs=10**9,
    call_bytes=10**7,
    calls=25,
    least=16,
    most=64,
    batch=4,
    beside={"keep-wide": (30.0, 90.0)},
    drawn=True,
    checking=36.0,
    compensation=10**11,
    iterations=0,
    step_batch=1,
    learner="brecq",
    size=10**7,
)
MACHINE = Machine(macs=7e10, dispatch=1e-6, workers=2, memory=8 * 2**30)


def test_a_small_compile_takes_about_what_was_foreseen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In processor time, which other work here changes little."""
    seen: list[Foresight] = []

    def spied(work: Work, _: Machine) -> Foresight:
        seen.append(foresee(work, this_machine(time.process_time)))
        return seen[-1]

    monkeypatch.setattr("dgqc.compiler.announcement.foresee", spied)
    before = sum(os.times()[:4])
    program = dgqc.compile(architectures.unconditional(), "w4a6", steps=3, samples=4)
    place = program.save(tmp_path / "small.dgqc")
    taken = sum(os.times()[:4]) - before
    (foreseen,) = seen
    assert foreseen.seconds[0] / 2 < taken < foreseen.seconds[1] * 2
    written = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    assert foreseen.disk / 2 < written < foreseen.disk * 2


def test_it_is_said_before_any_pass_runs(caplog: pytest.LogCaptureFixture) -> None:
    class Stop(Exception):
        pass

    class Stopper:
        def before(self, *_: object) -> None:
            raise Stop

        def after(self, *_: object) -> None:
            pass

    caplog.set_level(logging.INFO, "dgqc")
    with pytest.raises(Stop):
        dgqc.compile(architectures.unconditional(), steps=3, samples=4, instruments=[Stopper()])
    (said,) = (one for one in caplog.messages if one.startswith("Compiling"))
    assert "0.111 M parameters" in said
    assert "3 calls, calibrated on 4 samples of each, on the CPU. It takes " in said


@pytest.mark.parametrize(
    ("foreseen", "message"),
    [
        (Foresight((1, 2), 10**15, 1), "about 1000000 GB of memory"),
        (Foresight((1, 2), 1, 10**18), "The bundle takes about"),
    ],
)
def test_no_room_is_said_before_any_work(foreseen: Foresight, message: str, tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match=message):
        check_room(foreseen, 2**30, tmp_path / "not" / "there.dgqc")
    check_room(Foresight((1, 2), 2**30, 1), 2**30, None)


def test_compile_refuses_and_may_be_told_to_try(
    model_folder: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgqc.compiler.announcement.free_disk", lambda _: 1000)
    monkeypatch.setattr("dgqc.compiler.driver.PassManager.run", lambda *_: pytest.fail("a pass ran"))
    asked = ["compile", model_folder, "--steps", "3", "-o", tmp_path / "out.dgqc"]
    code, _, error = run(*asked)
    assert code == 2
    assert "are free on the disk of" in error
    with pytest.raises(pytest.fail.Exception):
        run(*asked, "--look-ahead=off")


@pytest.mark.parametrize(
    "changed",
    [
        {"nodes": 2000},
        {"compensation": 10**13},
        {"macs": 10**10},
        {"most": 640},
        {"calls": 50},
        {"iterations": 10},
        {"weights": 10**9},
        {"beside": {"keep-wide": (30.0, 900.0)}},
    ],
)
def test_more_work_takes_longer(changed: dict[str, int]) -> None:
    assert foresee(replace(WORK, **changed), MACHINE).seconds[1] > foresee(WORK, MACHINE).seconds[1]


def test_passes_ask_the_network_as_often_as_they_may() -> None:
    """Small networks' gradients are asked, and what keep-wide tries is in the span."""
    usual, bare = (parse_pipeline(pipeline_for(opt)) for opt in ("w4a6", "w4a6,keep=none"))
    least, most = calls_beside(usual, 10**6, 25, 16)
    assert least < most / 2
    assert calls_beside(bare, 10**6, 25, 16)[1] < most
    large = calls_beside(usual, 10**9, 25, 16)
    assert large == calls_beside(bare, 10**9, 25, 16)
    assert large[1] < most
    assert calls_beside(usual, 10**6, 1, 1)[1] < most / 2
    assert [asks_gradients(usual, count) for count in (10**6, 10**9)] == [True, False]


def test_simulated_calls_of_amends_take_longer_than_float_ones() -> None:
    """Full ones in any case, shallow ones at most; without amends there are none."""
    every, none = (
        calls_beside(parse_pipeline(f"cache-schedule{{interval=5,weigh=false{more}}}"), 10**6, 25, 16)
        for more in ("", ",amend=false")
    )
    assert none == (25 * 16, 25 * 16)
    assert every == (16 * (50 + 3.0 * 5), 16 * (50 + 3.0 * (5 + 24)))


def test_what_is_not_done_takes_nothing() -> None:
    usual = foresee(WORK, MACHINE).seconds[0]
    for option in ("drawn", "checking", "compensation"):
        assert foresee(replace(WORK, **{option: False}), MACHINE).seconds[0] < usual
    assert foresee(WORK, replace(MACHINE, workers=1)).seconds[0] > usual
    assert call_seconds(WORK, 1e12) == pytest.approx((1e9 / 0.65 + 1.5e9) / 1e12)


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (0.2, 1.2, "about 1 second"),
        (20, 45, "20 to 45 seconds"),
        (61, 340, "1 to 6 minutes"),
        (4000, 9000, "1 to 2 hours"),
        (115, 125, "about 2 minutes"),
        (580, 1800, "10 to 30 minutes"),
    ],
)
def test_spans_of_time_as_people_say_them(least: float, most: float, said: str) -> None:
    assert duration(least, most) == said


def test_amounts() -> None:
    assert [amount(size) for size in (2.5e6, 8e8, 1.25e9, 2e10)] == ["2.5 MB", "800 MB", "1.2 GB", "20 GB"]


def test_phases_are_the_whole() -> None:
    """By the names that a display hears of: what is asked beside the samples is its pass's."""
    found = foresee(replace(WORK, iterations=10), MACHINE)
    assert found.seconds[0] < sum(found.phases.values()) < found.seconds[1]
    assert {"observe-ranges", "keep-wide", "gptq", "brecq", CHECKING, WRITING} <= found.phases.keys()
    longer = foresee(replace(WORK, iterations=10, beside={"keep-wide": (60.0, 180.0)}), MACHINE)
    changed = {name for name, seconds in longer.phases.items() if seconds != found.phases[name]}
    assert changed == {"keep-wide"}


@pytest.mark.parametrize(("draws", "wanted"), [(False, 5 * 1.2), (True, 30 * 1.2)])
def test_a_check_draws_a_picture_where_somebody_can(draws: bool, wanted: float) -> None:
    assert calls_to_check(25, draws=draws) == pytest.approx(wanted)


def test_a_machine_is_measured_once_and_quickly() -> None:
    machines._speeds.cache_clear()
    started = time.process_time()
    first = this_machine()
    assert time.process_time() - started < 3
    assert this_machine().macs == first.macs > 1e8
    assert 1e-8 < first.dispatch < 1e-2
