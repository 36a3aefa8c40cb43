"""Pictures of one layer at a time, of which a menu chooses: ranges, outliers, attention scores, codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

import plotly.graph_objects as go

from .document import Chosen, Traces
from .laid_out import GREY, laid_out
from .layers import LayerFacts
from .report import Report, entry_with

COLOURS = ("#3366cc", "#dc3912", "#109618", "#ff9900", "#990099", "#0099c6", "#dd4477", "#66aa00")
"""Of groups, in turn; they can be told apart on white and on black."""
MOST = 600
"""Layers in a menu."""


def choices(report: Report, layers: Sequence[LayerFacts]) -> dict[str, Chosen]:
    """Those that the report has figures for, by title."""
    sites = (report.get("seen") or {}).get("sites", {})
    errors = entry_with(report.get("passes", {}), "decibels")
    calls = (report.get("seen") or {}).get("calls", [])
    drawn = {
        "Ranges by call": Chosen(
            {name: _ranges(one, calls) for name, one in sites.items()},
            laid_out(go.Figure(), "call", "smallest to largest value", 420),
            "What calibration saw of an operand at each call; its groups in colour, each with a quantizer.",
        ),
        "Outlier channels and pixels": Chosen(
            {name: _outliers(one) for name, one in sites.items()},
            laid_out(go.Figure(), "index, or bin of neighbours", "largest magnitude", 420),
            "Quantizers differ along the dimension whose peaks differ more.",
        ),
        "What attention looks at": Chosen(
            {f"{path}, call {call}": _scores(found) for path, call, found in _score_maps(errors)},
            laid_out(go.Figure(), "key", "query", 420),
            "The float model's probabilities, mean of all heads, as powers of ten; large maps are pooled. "
            "Where a prompt is looked at, key 0 is its start token.",
        ),
        "How coarse groups are rounded, by call": Chosen(
            {one.path: _steps(one) for one in layers},
            laid_out(go.Figure(), "call", "multiple of the base", 420),
            "Scales of an operand's groups, in multiples of the finest unit that they share.",
        ),
        "Codes of weights": Chosen(
            {one.path: _codes(one) for one in layers},
            laid_out(go.Figure(), "code", "how often", 420),
            "How often each whole number stands among a layer's weights.",
        ),
    }
    return {title: some for title, one in drawn.items() if (some := _shown(one)) is not None}


def _shown(one: Chosen) -> Chosen | None:
    """Without what has nothing to draw."""
    traces = dict([(name, found) for name, found in one.traces.items() if found][:MOST])
    return Chosen(traces, one.figure, one.about) if traces else None


def _ranges(site: Mapping[str, Any], calls: Sequence[int]) -> Traces:
    """A band for each group."""
    members = site.get("members", [])
    bands = zip(site.get("low", []), site.get("high", []), members, strict=False)
    what = f"{site.get('dimension', '')}s"
    return [
        {
            "type": "scatter",
            "x": [*calls, *reversed(calls)],
            "y": [*low, *reversed(high)],
            "fill": "toself",
            "mode": "lines",
            "opacity": 0.6,
            "line": {"color": COLOURS[place % len(COLOURS)], "width": 1},
            "name": f"{count} {what}",
        }
        for place, (low, high, count) in enumerate(bands)
    ]


def _outliers(site: Mapping[str, Any]) -> Traces:
    return [
        {"type": "scatter", "mode": "lines", "line": {"shape": "hvh", "color": colour}, "y": site[which],
         "name": which}
        for which, colour in (("channels", COLOURS[0]), ("pixels", COLOURS[1]))
    ]  # fmt: skip


def _score_maps(errors: Mapping[str, Any]) -> list[tuple[str, str, list[list[float]]]]:
    maps = errors.get("scores") or {}
    paths = dict.fromkeys(path for found in maps.values() for path in found)
    return [(path, call, maps[call][path]) for path in paths for call in maps if path in maps[call]]


def _scores(found: list[list[float]]) -> Traces:
    return [
        {
            "type": "heatmap",
            "z": [[_power(value) for value in row] for row in found],
            "colorscale": "Viridis",
            "colorbar": {"thickness": 12, "title": {"text": "10^"}},
            "hovertemplate": "query %{y}, key %{x}: 10^%{z:.2f}<extra></extra>",
        }
    ]


def _power(value: float) -> float:
    """The power of ten; -6 stands for all that is smaller."""
    return round(log10(max(value, 1e-6)), 2)


def _steps(one: LayerFacts) -> Traces:
    """A line for each group."""
    return [
        {"type": "scatter", "mode": "lines+markers", "y": [call[group] for call in one.steps],
         "name": f"group {group}", "line": {"color": COLOURS[group % len(COLOURS)]}}
        for group in range(len(one.steps[0]) if one.steps else 0)
    ]  # fmt: skip


def _codes(one: LayerFacts) -> Traces:
    codes = list(range(one.lowest, one.lowest + len(one.counts)))
    return [{"type": "bar", "x": codes, "y": list(one.counts), "name": f"{one.bits} bits",
             "marker": {"color": GREY}}]  # fmt: skip
