"""A page in one file: it fetches nothing, and a browser is told to refuse it if it tried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 15px/1.5 sans-serif; margin: 1em auto; padding: 0 1em; max-width: 75em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
h1, td { overflow-wrap: anywhere; }
td:first-child { min-width: 9em; }
td.inner { padding-left: 1.5em; }
td.number { min-width: 3em; white-space: nowrap; }
.sorted td:not(:first-child) { overflow-wrap: normal; }
td, th { padding: .1em 1em .1em 0; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.sorted th { cursor: pointer; }
.sorted td:first-child, .sorted th:first-child { position: sticky; left: 0; background: Canvas; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30em), 1fr)); gap: 2em; }
.sides > section { min-width: 0; }
.drawings { display: block; overflow-x: auto; max-width: 100%; }
.drawings img { width: 8em; height: auto; image-rendering: pixelated; }
.drawings th, .drawings td { white-space: normal; min-width: 8em; max-width: 12em; }
.drawings .prompt td { max-width: none; }
.drawings .prompt { border-bottom: none; }
pre { overflow-x: auto; font-size: 13px; }
pre span { display: block; white-space: pre-wrap; overflow-wrap: anywhere; }
pre span { padding-left: 4ch; text-indent: -4ch; }
pre .new { background: #2a82; } pre .gone { background: #d332; } pre .left { color: #888; }
.tools { display: flex; flex-wrap: wrap; gap: .5em; align-items: center; }
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
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
"""What a browser lets the page do: nothing outside itself."""
PARTS = re.compile(r"(?<=[./,+_={}])(?=[^\d\s])|(?<=[a-z])(?=[A-Z][a-z])")
"""Where a name may go on in the next line; never within a number, a word or a unit: dB, KiB."""
Traces = list[dict[str, Any]]


@dataclass(frozen=True)
class Chosen:
    """A picture with a menu.

    traces: what plotly draws, by the name in the menu. figure: its axes, without anything drawn. about: one
    sentence below the title.
    """

    traces: Mapping[str, Traces]
    figure: go.Figure
    about: str


def document(title: str, body: str, *, plots: bool = True) -> str:
    """The whole page. body: HTML. plots: whether Plotly is in it."""
    scripts = f"<script>{get_plotlyjs()}</script>" if plots else ""
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style>{scripts}"
        f"<h1>{named(title)}</h1>{body}<script>{SORT}{CHOOSE}</script></html>\n"
    )


def drawn(figure: go.Figure) -> str:
    """A picture."""
    text: str = figure.to_html(full_html=False, include_plotlyjs=False, config=SETTINGS)
    return text


def chosen(one: Chosen) -> str:
    """A picture, its menu, and what is drawn for each entry."""
    names = "".join(f"<option>{escape(name)}</option>" for name in one.traces)
    layout = one.figure.to_plotly_json()["layout"]
    data = (("traces", dict(one.traces)), ("layout", layout))
    kept = "".join(
        f"<script type='application/json' class='{name}'>{as_data(what)}</script>" for name, what in data
    )
    return (
        f"<p>{escape(one.about)}</p><div class='chosen'><select aria-label='Which'>{names}</select>"
        f"<div class='drawn'></div>{kept}</div>"
    )


def as_data(what: Any) -> str:
    """JSON that no name in it can end."""
    return json.dumps(what, separators=(",", ":")).replace("<", "\\u003c")


def sorted_table(heads: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> str:
    """A table that a click on a column's head sorts. None stands for what isn't known."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table class='sorted'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def named(text: str) -> str:
    """Text with names in it, as HTML; a browser that breaks a name does it between its parts."""
    return "<wbr>".join(map(escape, PARTS.split(text)))


def row(name: str, value: str) -> str:
    """A line of a table of names and values. A name that begins with spaces belongs to the one above."""
    inner = " class='inner'" if name.startswith(" ") else ""
    return f"<tr><td{inner}>{named(name.strip())}</td><td>{named(value)}</td></tr>"


def _cell(value: str | float | None) -> str:
    if value is None:
        return "<td class='number' data-value='-1e9'>-</td>"
    if isinstance(value, str):
        return f"<td>{named(value)}</td>"
    return f"<td class='number' data-value='{value}'>{value:.6g}</td>"
