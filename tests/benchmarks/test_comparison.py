"""The comparison of CPU runtimes: who is timed when, and what the table says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import peak
import pytest
import round_trip
from comparison import Entry, Results, as_markdown, begin
from peers.contenders import BASELINE, CONTENDERS, PEAK, ROUND_TRIP
from peers.models import remembered
from timed_process import TimedProcess

OBEDIENT = """
import sys, time
print("ready", flush=True)
for line in sys.stdin:
    print(*[0.5 + call for call in range(int(line))], flush=True)
"""


def results(**seconds: float) -> Results:
    """Each of the named contenders' one call; a machine that does 10^9 multiply-accumulates a second."""
    one = Results("a model", 1, "a processor", gmacs=1.0, entries={PEAK: Entry([peak.MACS / 1e9])})
    for name, taken in seconds.items():
        one.add(name.replace("_", "-"), [taken], memory=10**6)
    return one


def test_a_process_answers_and_stands_still_between_questions() -> None:
    with TimedProcess((sys.executable, "-c", OBEDIENT)) as process:
        for calls in (3, 1):
            assert process.time(calls) == [0.5 + call for call in range(calls)]
            state = Path(f"/proc/{process.number}/status").read_text()
            assert "State:\tT" in state
        assert process.peak > 10**6


@pytest.mark.parametrize(
    ("script", "message"),
    [("", "before its first call"), ("print('ready')", "between calls|in a call")],
)
def test_a_process_that_ends_early_is_reported(script: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message), TimedProcess((sys.executable, "-c", script)) as process:
        process.time(1)


def test_ratios_are_to_the_baseline_and_to_the_peak() -> None:
    table = as_markdown(results(pytorch_float32=8.0, w8a8=2.0))
    row = next(line for line in table.splitlines() if "w8a8" in line)
    assert "| 2000 | 2000 | 4.00 | 50% |" in row  # a quarter of the time; one of two possible seconds


def test_what_waiting_costs_is_said_where_it_was_measured() -> None:
    assert "round trip" not in as_markdown(results(pytorch_float32=1.0))
    found = results(pytorch_float32=1.0)
    found.add(ROUND_TRIP, [round_trip.TIMES * taken for taken in (4e-7, 1e-7, 2e-7)], memory=0)
    assert "cores' round trip 200 ns (100 .. 400)" in as_markdown(found)


def test_everybody_stands_in_the_table() -> None:
    _, _, _, _, *rows = as_markdown(results(pytorch_float32=1.0)).splitlines()
    assert len(rows) == len(CONTENDERS)
    assert sum("not measured" in row for row in rows) == len(CONTENDERS) - 1


def test_signal_to_noise_is_that_of_the_outputs(tmp_path: Path) -> None:
    wanted = np.array([3, 4], np.float32)
    wanted.tofile(tmp_path / BASELINE)
    (wanted + np.array([0.5, 0], np.float32)).tofile(tmp_path / "w8a8")
    found = results(pytorch_float32=1.0, w8a8=1.0)
    found.compare(tmp_path)
    assert found.entries["w8a8"].signal_to_noise_db == pytest.approx(20)


def test_rounds_are_added_to_those_of_the_same_measurement_only(tmp_path: Path) -> None:
    kept = tmp_path / "cpu.json"
    first = begin(kept, "demo", 2, 1.0, append=True)
    first.add("w8a8", [1.0], memory=5)
    first.write(kept)
    second = begin(kept, "demo", 2, 1.0, append=True)
    second.add("w8a8", [2.0], memory=4)
    assert second.entries["w8a8"] == Entry([1.0, 2.0], memory=5)
    assert begin(kept, "demo", 2, 1.0, append=False).entries == {}
    with pytest.raises(SystemExit, match="leave out --append"):
        begin(kept, "demo", 1, 1.0, append=True)


def test_what_was_made_of_a_bundle_is_made_anew_once_that_is_gone(tmp_path: Path) -> None:
    """Its folder may be deleted by hand."""
    manifest, kept, count = tmp_path / "manifest.json", tmp_path / "made" / "w4a6.json", tmp_path / "count"
    making = f"open({str(count)!r}, 'a').write('x'); open({str(manifest)!r}, 'w'); print('{{}}')"
    for made in (1, 1, 2):
        if made == 2:
            manifest.unlink()
        assert remembered(kept, (sys.executable, "-c", making), after=(manifest,)) == {}
        assert len(count.read_text()) == made
