"""A report as one page to look at, which needs nothing else: no network, no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from ..bundle.bundle import read
from .choices import Chosen, choices
from .layers import LayerFacts, layers_of
from .pictures import beside, pictures
from .report import Report, entry_with
from .text import rows

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 sans-serif; margin: 1em auto; padding: 0 1em; max-width: 75em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
h1, td { overflow-wrap: anywhere; }
td:first-child { min-width: 9em; }
td.number { min-width: 3em; }
td, th { padding: .1em 1em .1em 0; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
th { cursor: pointer; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30em), 1fr)); gap: 2em; }
.sides > section { min-width: 0; }
select { max-width: 100%; font: inherit; }
"""
SORT = """
for (const head of document.querySelectorAll("table.sorted th")) head.onclick = () => {
  const body = head.closest("table").tBodies[0], place = head.cellIndex;
  const down = head.dataset.down = head.dataset.down === "1" ? "" : "1";
  const value = row => row.cells[place].dataset.value ?? row.cells[place].textContent;
  const words = (a, b) => a.localeCompare(b);
  const compare = (a, b) => isNaN(a) || isNaN(b) ? words(a, b) : a - b;
  const order = (a, b) => (down ? 1 : -1) * compare(value(a), value(b));
  [...body.rows].sort(order).forEach(row => body.append(row));
};
"""
CHOOSE = """
for (const place of document.querySelectorAll(".chosen")) {
  const read = kind => JSON.parse(place.querySelector(kind).textContent);
  const traces = read(".traces"), layout = read(".layout"), menu = place.querySelector("select");
  const settings = {responsive: true, displaylogo: false};
  const draw = () => Plotly.react(place.querySelector(".drawn"), traces[menu.value], layout, settings);
  menu.onchange = draw;
  draw();
}
"""
SETTINGS = {"responsive": True, "displaylogo": False}
LONG = 300
"""Letters of what a pass reported; whoever wants more finds it in report.json."""
MISSING = {
    "Where time goes": "dgqc report DIR --time --html PAGE measures it on the machine where it runs.",
    "Ranges by call": "This bundle doesn't hold them; compile the model again.",
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
"""What a browser lets the page do: nothing outside itself."""


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
    return _page(_title(side.report), _section(side))


def as_page_of_two(sides: Mapping[str, ReportSide]) -> str:
    """Two reports side by side; below each other on a phone."""
    both = beside({name: side.report for name, side in sides.items()})
    above = "" if both is None else f"<h2>Layers beside each other</h2>{_drawn(both)}"
    columns = "".join(
        f"<section><h1>{escape(name)}</h1>{_section(side)}</section>" for name, side in sides.items()
    )
    return _page(" and ".join(sides), f"{above}<div class='sides'>{columns}</div>")


def _page(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style><script>{get_plotlyjs()}</script>"
        f"<h1>{escape(title)}</h1>{body}<script>{SORT}{CHOOSE}</script></html>\n"
    )


def _section(side: ReportSide) -> str:
    report = side.report
    figures = "".join(_row(name, value) for name, value in rows(report))
    notes = "".join(f"<li>{escape(note)}</li>" for note in report["notes"])
    drawn = {title: _drawn(figure) for title, figure in pictures(report, side.layers).items()}
    drawn |= {title: _chosen(one) for title, one in choices(report, side.layers).items()}
    missing = {
        title: f"<p>{escape(why)}</p>"
        for title, why in MISSING.items()
        if not report["estimated"] and title not in drawn
    }
    shown = "".join(f"<h2>{escape(title)}</h2>{text}" for title, text in {**drawn, **missing}.items())
    passes = "".join(_pass(name, entry) for name, entry in report.get("passes", {}).items())
    return f"<table>{figures}</table><ul>{notes}</ul>{_layers(side)}{shown}<h2>Passes</h2>{passes}"


def _chosen(one: Chosen) -> str:
    """A picture, its menu, and what is drawn for each entry."""
    names = "".join(f"<option>{escape(name)}</option>" for name in one.traces)
    layout = one.figure.to_plotly_json()["layout"]
    data = (("traces", dict(one.traces)), ("layout", layout))
    kept = "".join(
        f"<script type='application/json' class='{name}'>{_json(what)}</script>" for name, what in data
    )
    return (
        f"<p>{escape(one.about)}</p><div class='chosen'><select aria-label='Which'>{names}</select>"
        f"<div class='drawn'></div>{kept}</div>"
    )


def _json(what: Any) -> str:
    """JSON that no name in it can end."""
    return json.dumps(what, separators=(",", ":")).replace("<", "\\u003c")


def _layers(side: ReportSide) -> str:
    """A table that a click on a column's head sorts."""
    if not side.layers:
        return ""
    errors = entry_with(side.report.get("passes", {}), "decibels").get("decibels", {})
    heads = "".join(f"<th>{name}</th>" for name in ("layer", "product", "bits", "bytes", "groups", "dB"))
    body = "".join(
        f"<tr><td>{escape(one.path)}</td><td>{escape(one.kind)}</td>{_number(one.bits)}{_number(one.size)}"
        f"{_number(len(one.steps[0]) if one.steps else None)}{_number(errors.get(one.path))}</tr>"
        for one in side.layers
    )
    table = f"<table class='sorted'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details><summary>{len(side.layers)} layers, to be sorted</summary>{table}</details>"


def _drawn(figure: go.Figure) -> str:
    text: str = figure.to_html(full_html=False, include_plotlyjs=False, config=SETTINGS)
    return text


def _title(report: Report) -> str:
    return f"{report['model']} at {report['opt']}"


def _pass(name: str, entry: Any) -> str:
    pairs = entry.items() if isinstance(entry, dict) else (("", entry),)
    lines = "".join(_row(str(key), _brief(str(value))) for key, value in pairs)
    return f"<details><summary>{escape(name)}</summary><table>{lines}</table></details>"


def _brief(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}… ({len(text)} letters, all in report.json)"


def _row(name: str, value: str) -> str:
    return f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"


def _number(value: float | None) -> str:
    return (
        "<td class='number' data-value='-1e9'>-</td>" if value is None else f"<td class='number'>{value}</td>"
    )
