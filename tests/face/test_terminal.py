"""What people see at a terminal: whole names, as much as they ask for, completion."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from dgqc.cli import console, display
from dgqc.ir.progress import enter, expect, shown_by, track
from dgqc.report.table import Pieces, table

LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
Run = Callable[..., tuple[int, str, str]]
QUICK = """
import sys, time
from dgqc.cli.main import run
assert run(["--help"]) == 0
print(sorted({"torch", "numpy", "diffusers", "pydantic", "rich"} & set(sys.modules)))
"""


def printed(shown: object, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(shown)
    return out.getvalue().splitlines()


def test_layers_keep_their_names_in_eighty_columns() -> None:
    shown = table("figure", "value", "of the other")
    shown.add_row(f"error of {LAYER}", "12.3 dB", "14.5 dB")
    lines = printed(shown)
    assert all(len(line) <= 80 for line in lines)
    parts = [line.split()[0] for line in lines[2:]]
    assert "".join(parts).endswith("to_out.0") or LAYER in "".join(lines)
    assert all(part.endswith(".") for part in parts[1:-1])


def test_short_names_stay_in_one_line() -> None:
    shown = table("pass", "what it does")
    shown.add_row("fold-time-embedding", "Evaluates the network of the time embedding at every call. " * 3)
    assert any(line.startswith("fold-time-embedding ") for line in printed(shown, 60))


@pytest.mark.parametrize(
    ("text", "width", "wanted"),
    [
        ("one.two.three", 8, ["one.two.", "three"]),
        ("one two", 5, ["one", "two"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("in up_sample_nearest2d_level", 12, ["in up_", "sample_", "nearest2d_", "level"]),
        ("an up_sample.one", 9, ["an up_", "sample.", "one"]),
        ("  of one.two.three", 10, ["  of one.", "  two.", "  three"]),
        ("a\nb", 9, ["a", "b"]),
    ],
)
def test_where_lines_end(text: str, width: int, wanted: list[str]) -> None:
    assert Pieces(text).lines(width) == wanted


def test_work_that_is_done_again_is_estimated_from_its_own_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a repair, an hour after the first time."""
    clock = iter([0.0, 0.0, 1.0, 3600.0, 3602.0])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(clock))
    lines = display.LogLines()
    for _ in range(2):
        lines.show("grouping", 0, 2)
        lines.show("grouping", 1, 2)
    assert capsys.readouterr().err.splitlines()[-1] == "grouping: 1/2, about 2 s left"


def test_a_log_hears_of_the_first_step_of_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 0.0, 2.0, 4.0])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(clock))
    lines = display.LogLines()
    for done in range(3):
        lines.show("verifying", done, 100)
    assert capsys.readouterr().err == "verifying: 0/100\nverifying: 1/100, about 198 s left\n"


def test_a_log_is_not_filled_by_work_that_takes_no_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, *(place / 7 for place in range(22))])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(clock))
    lines = display.LogLines()
    for piece in ("quantizing", "grouping"):
        for done in range(11):
            lines.show(piece, done, 10)
    said = capsys.readouterr().err.splitlines()
    wanted = ["quantizing: 0/10", "quantizing: 7/10", "grouping: 3/10", "grouping: 10/10"]
    assert [line.partition(",")[0] for line in said] == wanted


def test_one_line_says_how_far_the_whole_command_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 52.0, 400.0, 400.0])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(display, "peak_memory", lambda: 1_230_000_000)
    lines = display.LogLines()
    with shown_by(lines):
        expect(60, 240)
        enter("gptq", 17, 21)
        assert lines.line() == "gptq (17 of 21) - 0:52, 1 to 3 minutes left - 1.2 GB"
        enter("writing the bundle")
        assert lines.line() == "writing the bundle - 6:40, longer than was thought - 1.2 GB"
    assert lines.end() == "It took 6:40 and 1.2 GB of memory at most."


def test_what_is_left_follows_what_phases_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases that took twice as long as was thought make those to come longer, too."""
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    lines = display.LogLines()
    with shown_by(lines):
        expect(200, 450, {"observe-ranges": 100.0, "gptq": 150.0, "writing the bundle": 50.0})
        enter("observe-ranges", 1, 2)
        assert lines.left(0) == (200, 450)
        lines.show("observing", 1, 2)
        assert lines.share() == pytest.approx(1 / 6)
        enter("merge-quantizers", 2, 3)
        enter("gptq", 3, 3)
        assert lines.share() == pytest.approx(1 / 3)
        least, most = lines.left(100)
        assert (least, most) == pytest.approx((200 * 2 / 3, 450 * 2 / 3))
        assert lines.left(200)[0] > 1.5 * least
        assert lines.left(50)[1] < most / 1.5
        enter("writing the bundle")
        assert lines.left(400)[1] < 450 / 3


def test_a_log_is_told_each_tenth_of_a_long_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(display, "peak_memory", lambda: 0)
    for seconds, wanted in ((100.0, ["50 %: gptq (2 of 2) - 1:40, 1 to 2 minutes left"]), (20.0, [])):
        lines = display.LogLines()
        with shown_by(lines):
            expect(1.4 * seconds, 3 * seconds, {"observe-ranges": seconds, "gptq": seconds})
            enter("observe-ranges", 1, 2)
            now[0] += 100
            enter("gptq", 2, 2)
            enter("gptq", 2, 2)
        assert [line for line in capsys.readouterr().err.splitlines() if "%" in line][:1] == wanted


def test_a_short_command_ends_without_a_word() -> None:
    assert display.LogLines().end() is None


def test_bars_on_a_terminal_have_that_line_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out = io.StringIO()
    bars = display.Bars(Console(file=out, force_terminal=True, width=80))
    with bars.bars, shown_by(bars):
        expect(60, 90, {"observe-ranges": 60.0, "gptq": 20.0})
        enter("observe-ranges", 8, 21)
        for place in track(range(3), "observing ranges", 3):
            if place == 1:
                bars.bars.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert re.search(r"observe-ranges \(8 of 21\) - 0:\d\d, .* left - [\d.]+ [MG]B", shown)
    assert re.search(r"[MG]B\s*\n━+[╸╺━ ]*\s*\n\s*observing ranges .* 1/3", shown)


@pytest.mark.parametrize("heeded", [False, True])
def test_no_color_is_heeded(heeded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if heeded:
        monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    bars = display.Bars(Console(file=out, force_terminal=True, width=80))
    with bars.bars, shown_by(bars):
        for _ in track(range(2), "working", 2):
            bars.bars.refresh()
    colored = re.search(r"\x1b\[[0-9;]*\b(3\d|38;[0-9;]+)m", out.getvalue())
    assert bool(colored) is not heeded


def test_notes_go_above_the_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars take the place of stderr while they are shown."""
    console.quiet_libraries()
    instead = io.StringIO()
    monkeypatch.setattr(sys, "stderr", instead)
    logging.getLogger("dgqc").info("a note")
    assert instead.getvalue() == "a note\n"


def test_quiet_and_verbose(saved: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command takes them; progress and notes go, warnings stay."""
    from dgqc.cli import inspect as commands

    def told() -> None:
        with commands.progress():
            list(track(range(2), "working", 2))
            logging.getLogger("dgqc").debug("a pass")
            logging.getLogger("dgqc").info("a note")
            logging.getLogger("dgqc").warning("a warning")

    monkeypatch.setattr("dgqc.report.report.report_on", lambda *_, **__: told() or {})
    monkeypatch.setattr("dgqc.report.text.as_table", lambda _: "table")
    heard = {option: run("report", saved, "--json", *option)[2] for option in ((), ("-q",), ("-v",))}
    assert heard[()] == "working: 0/2\na note\na warning\n"
    assert heard[("-q",)] == "a warning\n"
    assert "a pass\na note\na warning\n" in heard[("-v",)]
    assert logging.getLogger("dgqc").level == logging.INFO


def completed(words: str, number: int) -> list[str]:
    asked = {"_DGQC_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    done = subprocess.run(
        [sys.executable, "-c", "from dgqc.cli.main import main; main()"],
        capture_output=True,
        text=True,
        env={**os.environ, **asked},
        check=False,
    )
    return done.stdout.split()


def test_a_shell_completes_commands_and_options() -> None:
    assert completed("dgqc com", 1) == ["compile", "compare"]
    assert "--scheduler" in completed("dgqc compile --sch", 2)


def test_help_loads_nothing_that_takes_time() -> None:
    done = subprocess.run([sys.executable, "-c", QUICK], capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith("[]"), done.stdout[-300:] + done.stderr
    commands = done.stdout.partition("Commands:")[2]
    assert "compile" in commands
    assert "..." not in commands, "a command's first sentence doesn't fit its line"
