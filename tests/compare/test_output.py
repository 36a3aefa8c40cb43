"""Rows as tables."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dgqc.compare.output import as_markdown, for_terminal, write
from dgqc.compare.plots import plot, style
from dgqc.compare.row import Row

ROWS = [
    Row("float", "float", "", judged={"alignment": 100.0}, size_mb=24.0, bops_t=0.84),
    Row(
        "w4a6",
        "integers",
        "insert-sites",
        snr_db=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0),
        layers_db={"conv_in": 30.0, "mid": 20.0, "conv_out": 10.0},
        judged={"alignment": 99.5},
        size_mb=3.5,
        bops_t=0.02,
        table_bytes=1000,
        seconds={"compile": 1.0},
    ),
]


def test_a_row_sums_up_its_calls_and_layers() -> None:
    row = ROWS[1]
    assert row.mean_db == pytest.approx(35)
    assert row.last_db == pytest.approx(40)
    assert (row.layer_median_db, row.layer_worst_db) == (20.0, 10.0)
    assert ROWS[0].mean_db is None


def test_markdown_has_a_cell_for_each_column_and_none_for_what_was_not_measured() -> None:
    header, _, first, second = as_markdown(ROWS).splitlines()
    assert len({line.count("|") for line in (header, first, second)}) == 1
    assert "| float | float |  |" in first
    assert "| 35.00 | 40.00 |" in second


def test_long_names_are_whole_where_the_terminal_is_narrow() -> None:
    name = "q-diffusion-w8a8,iterations=1000,rate=0.01"
    shown = StringIO()
    Console(file=shown, width=60).print(for_terminal([replace(ROWS[1], name=name)]))
    assert any(line.startswith(f"{name} ") for line in shown.getvalue().splitlines())


def test_rows_beyond_the_colours_have_other_lines() -> None:
    from matplotlib.figure import Figure

    seen = []
    axes = Figure().subplots()
    for place in range(25):
        seen.append(tuple(style(place).items()))
        axes.plot([0, 1], **style(place))
    assert len(set(seen)) == 25


def test_files_hold_every_figure(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    with (tmp_path / "compare.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [row["preset"] for row in found] == ["float", "w4a6"]
    assert float(found[1]["SNR dB"]) == pytest.approx(35)
    assert json.loads((tmp_path / "compare.json").read_text())[1]["layers_db"]["mid"] == 20.0
    lines = (tmp_path / "trajectory.csv").read_text().splitlines()
    assert lines[0] == "call,w4a6"
    assert lines[-1] == "5,60.0"


def test_plots_are_pictures(tmp_path: Path) -> None:
    made = plot(tmp_path, ROWS)
    assert [path.name for path in made] == ["trajectory.png", "size.png", "layers.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)
    assert plot(tmp_path, ROWS[:1]) == []
