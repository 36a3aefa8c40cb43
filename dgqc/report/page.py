"""A report as one page to look at, which needs nothing else: no network, no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ..bundle.bundle import read
from .choices import choices
from .document import chosen, document, drawn, named, row, sorted_table
from .layers import LayerFacts, layers_of
from .pictures import beside, pictures
from .report import Report, entry_with
from .text import rows

LONG = 300
"""Letters of what a pass reported; whoever wants more finds it in report.json."""
MISSING = {
    "Where time goes": "dgqc report DIR --time --html PAGE measures it on the machine where it runs.",
    "Ranges by call": "This bundle doesn't hold them; compile the model again.",
}


@dataclass(frozen=True)
class ReportSide:
    """A report, and what its bundle's program says of layers; nothing where a model was looked at."""

    report: Report
    layers: Sequence[LayerFacts] = ()


def side_of(path: Path, report: Report) -> ReportSide:
    """path: what the report is on."""
    return ReportSide(report, () if report["estimated"] else layers_of(read(path).program))


def as_page(side: ReportSide) -> str:
    """One report."""
    return document(_title(side.report), _section(side))


def as_page_of_two(sides: Mapping[str, ReportSide]) -> str:
    """Two reports side by side; below each other on a phone."""
    both = beside({name: side.report for name, side in sides.items()})
    above = "" if both is None else f"<h2>Layers beside each other</h2>{drawn(both)}"
    columns = "".join(
        f"<section><h1>{named(name)}</h1>{_section(side)}</section>" for name, side in sides.items()
    )
    return document(" and ".join(sides), f"{above}<div class='sides'>{columns}</div>")


def _section(side: ReportSide) -> str:
    report = side.report
    figures = "".join(row(name, value) for name, value in rows(report))
    notes = "".join(f"<li>{escape(note)}</li>" for note in report["notes"])
    found = {title: drawn(figure) for title, figure in pictures(report, side.layers).items()}
    found |= {title: chosen(one) for title, one in choices(report, side.layers).items()}
    missing = {
        title: f"<p>{escape(why)}</p>"
        for title, why in MISSING.items()
        if not report["estimated"] and title not in found
    }
    shown = "".join(f"<h2>{escape(title)}</h2>{text}" for title, text in {**found, **missing}.items())
    passes = "".join(_pass(name, entry) for name, entry in report.get("passes", {}).items())
    return f"<table>{figures}</table><ul>{notes}</ul>{_layers(side)}{shown}<h2>Passes</h2>{passes}"


def _layers(side: ReportSide) -> str:
    """A table that a click on a column's head sorts."""
    if not side.layers:
        return ""
    errors = entry_with(side.report.get("passes", {}), "decibels").get("decibels", {})
    heads = ("layer", "product", "bits", "bytes", "groups", "dB")
    lines = [
        (
            one.path,
            one.kind,
            one.bits,
            one.size,
            len(one.steps[0]) if one.steps else None,
            errors.get(one.path),
        )
        for one in side.layers
    ]
    table = sorted_table(heads, lines)
    return f"<details><summary>{len(side.layers)} layers, to be sorted</summary>{table}</details>"


def _title(report: Report) -> str:
    return f"{report['model']} at {report['opt']}"


def _pass(name: str, entry: Any) -> str:
    pairs = entry.items() if isinstance(entry, dict) else (("", entry),)
    lines = "".join(row(str(key), _brief(str(value))) for key, value in pairs)
    return f"<details><summary>{escape(name)}</summary><table>{lines}</table></details>"


def _brief(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}… ({len(text)} letters, all in report.json)"
