"""Rows as CSV, JSON, a Markdown table, and one for the terminal."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rich.table import Table

from ..ir.storage.whole import write_text
from ..report.table import table
from .row import Row

DIGITS = {"alignment": 1, "frechet real": 1, "table bytes": 0, "TBOPs": 4}
"""Digits after the point; 2 where a column isn't here."""
SHORT = (
    "preset",
    "runs as",
    "SNR dB",
    "SNR last 5 dB",
    "alignment",
    "frechet float",
    "clip score",
    "psnr float",
    "size MB",
)
"""Columns for a terminal."""


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Writes compare.json (everything), compare.csv, compare.md and, a line for each call, trajectory.csv.

    These depend on what was compared alone. What it took stands apart, in seconds.csv.
    """
    everything = json.dumps([row.to_json() for row in rows], indent=1)
    write_text(folder / "compare.json", everything + "\n")
    write_text(folder / "compare.csv", as_csv(rows))
    write_text(folder / "compare.md", "\n".join([as_markdown(rows), *without_quantization(rows), ""]))
    write_text(folder / "trajectory.csv", _trajectory(rows))
    write_text(folder / "seconds.csv", _seconds(rows))


def columns(rows: Sequence[Row]) -> list[str]:
    """All columns that any row has a value in, in the order of the rows that have most."""
    found: dict[str, None] = {}
    for row in rows:
        found.update(dict.fromkeys(name for name, value in row.columns().items() if value is not None))
    fullest = sorted(rows, key=lambda row: len(row.columns()), reverse=True)
    order = list(dict.fromkeys(name for row in fullest for name in row.columns()))
    return [name for name in order if name in found]


def as_csv(rows: Sequence[Row]) -> str:
    """A line for each row, values whole."""
    text = StringIO()
    writer = csv.DictWriter(text, columns(rows), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.columns() for row in rows)
    return text.getvalue()


def as_markdown(rows: Sequence[Row], chosen: Sequence[str] | None = None) -> str:
    """A table of the chosen columns, all that have values where nobody says which."""
    names = [name for name in chosen or columns(rows) if name in columns(rows)]
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for row in rows:
        cells = row.columns()
        lines.append(f"| {' | '.join(shown(name, cells.get(name)) for name in names)} |")
    return "\n".join(lines) + "\n"


def without_quantization(rows: Sequence[Row]) -> list[str]:
    """The line that says what 16-bit values alone cost, none where no row knows it."""
    found = [f"{row.name} {shown('', row.integers_db)} dB" for row in rows if row.integers_db is not None]
    return [f"Integers without quantization, the lowest of any call: {', '.join(found)}."] if found else []


def for_terminal(rows: Sequence[Row]) -> Table:
    """The columns that matter most."""
    names = [name for name in SHORT if name in columns(rows)]
    made = table(*names)
    for row in rows:
        cells = row.columns()
        made.add_row(*(shown(name, cells.get(name)) for name in names))
    return made


def shown(name: str, value: Any) -> str:
    """A cell."""
    if value is None:
        return ""
    return f"{value:.{DIGITS.get(name, 2)}f}" if isinstance(value, int | float) else str(value)


def _trajectory(rows: Sequence[Row]) -> str:
    measured = [row for row in rows if row.snr_db]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["call", *(row.name for row in measured)])
    for step, values in enumerate(zip(*(row.snr_db for row in measured), strict=True)):
        writer.writerow([step, *values])
    return text.getvalue()


def _seconds(rows: Sequence[Row]) -> str:
    """A line for each row and part of its measuring: what it took, then."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["preset", "part", "seconds"])
    writer.writerows([row.name, part, seconds] for row in rows for part, seconds in row.seconds.items())
    return text.getvalue()
