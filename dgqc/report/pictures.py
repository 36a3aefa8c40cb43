"""Pictures of a report: where the error is made, where bytes go, how groups differ, what the arena holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from .laid_out import CLEAR, GREY, laid_out
from .layers import LayerFacts
from .report import Report, entry_with
from .sensitivities import sensitivities

ROW = 14
"""Height of a layer in a picture that has a row for each."""
MOST_NAMES = 400
BOXES = ("#2f5d8c", "#8c4a2f", "#3f7040", "#70406e", "#7a6a26", "#2e6f73")
"""White letters can be read on them."""


def pictures(report: Report, layers: Sequence[LayerFacts]) -> dict[str, go.Figure]:
    """Those that the report has figures for, by title."""
    passes = report.get("passes", {})
    errors = entry_with(passes, "decibels")
    found = {
        "Where the error is made": _error_map(errors),
        **sensitivities(passes),
        "Where bytes go": boxes([(one.path, one.size) for one in layers], "bytes"),
        "Where operations go": boxes(
            report.get("macs_by_layer_g", {}).items(), "billion multiply-accumulates", 1e-9
        ),
        "Where time goes": boxes(report.get("seconds_by_layer", {}).items(), "seconds", 1e-9),
        "Working memory over time": _arena(entry_with(passes, "arena_bytes")),
    }
    return {title: figure for title, figure in found.items() if figure is not None}


def beside(reports: Mapping[str, Report]) -> go.Figure | None:
    """Two reports' layers: signal to noise of the second over that of the first."""
    (_, first), (_, second) = (
        (name, entry_with(report.get("passes", {}), "decibels").get("decibels", {}))
        for name, report in reports.items()
    )
    paths = [path for path in first if first[path] is not None and second.get(path) is not None]
    if not paths:
        return None
    one, other = _short(*reports)
    x, y = [first[path] for path in paths], [second[path] for path in paths]
    ends = [min(x + y), max(x + y)]
    marks = go.Scatter(x=x, y=y, text=paths, mode="markers", hovertemplate="%{text}: %{x} dB, %{y} dB")
    line = go.Scatter(x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dot"}, hoverinfo="skip")
    figure = go.Figure([marks, line])
    return laid_out(figure, f"dB in {one}", f"dB in {other}", 480, legend=False)


def _short(*names: str) -> Sequence[str]:
    """Of paths their last parts, where those differ: axes have no room for more."""
    last = [name.rstrip("/").rpartition("/")[2] for name in names]
    return last if len(set(last)) == len(last) else names


def _error_map(errors: Mapping[str, Any]) -> go.Figure | None:
    """Layers by calls; a report of an older dgqc has one column for all."""
    known = errors.get("decibels") or {}
    calls = errors.get("by_call") or ({"all": known} if known else {})
    paths = list(known)
    if not paths:
        return None
    heights = [[calls[call].get(path) for call in calls] for path in paths]
    figure = go.Figure(
        go.Heatmap(
            z=heights,
            x=[f"call {call}" for call in calls],
            y=paths,
            colorscale="RdYlGn",
            # Above the map, so that names have the whole width of a phone.
            colorbar={
                "title": {"text": "dB", "side": "top"},
                "orientation": "h",
                "thickness": 12,
                "yanchor": "bottom",
                "y": 1,
            },
            hovertemplate="%{y}, %{x}: %{z} dB<extra></extra>",
        )
    )
    laid = laid_out(figure, "", "", 160 + ROW * len(paths))
    laid.update_yaxes(autorange="reversed", showticklabels=False, ticks="")
    if len(paths) <= MOST_NAMES:
        # Names stand on the colours: beside them they would leave no room on a phone.
        laid.update_layout(annotations=[_name(path) for path in paths])
    return laid


def _name(path: str) -> dict[str, Any]:
    at = {"xref": "paper", "x": 0, "xanchor": "left", "y": path, "showarrow": False}
    font = {"color": "#111111", "size": 10}
    return {"text": path, **at, "font": font, "bgcolor": "rgba(255,255,255,0.6)", "borderpad": 0}


def boxes(amounts: Iterable[tuple[str, float]], unit: str, finest: float = 1.0) -> go.Figure | None:
    """A box for each layer in the box of its block, as large as what it takes.

    amounts: by module path. finest: they are counted in whole multiples of it, so that sums are exact.
    """
    sums: dict[str, int] = {}
    for path, amount in amounts:
        parts = path.split(".")
        for depth in range(1, len(parts) + 1):
            outer = ".".join(parts[:depth])
            sums[outer] = sums.get(outer, 0) + round(amount / finest)
    if not any(sums.values()):
        return None
    drawn = go.Treemap(
        ids=list(sums),
        labels=[path.rpartition(".")[2] for path in sums],
        parents=[path.rpartition(".")[0] for path in sums],
        values=list(sums.values()),
        text=[f"{value * finest:.4g} {unit}" for value in sums.values()],
        branchvalues="total",
        textinfo="label",
        hovertemplate="%{id}: %{text}, %{percentRoot}<extra></extra>",
    )
    figure = laid_out(go.Figure(drawn), "", "", 480)
    figure.update_layout(treemapcolorway=BOXES)
    return figure.update_traces(textfont={"color": "#ffffff"}, root={"color": CLEAR})


def _arena(memory: Mapping[str, Any]) -> go.Figure | None:
    """Each buffer as a box: from its first to its last moment, where it lies."""
    buffers = memory.get("buffers") or []
    if not buffers:
        return None
    boxes = go.Bar(
        x=[one["last"] - one["first"] + 1 for one in buffers],
        base=[one["first"] for one in buffers],
        y=[one["offset"] + one["bytes"] / 2 for one in buffers],
        width=[one["bytes"] for one in buffers],
        orientation="h",
        text=[one["name"] for one in buffers],
        textposition="none",
        marker={
            "color": [colour_of(one["name"]) for one in buffers],
            "line": {"width": 0.5, "color": GREY},
        },
        hovertemplate="%{text}<extra></extra>",
    )
    figure = go.Figure(boxes)
    figure.update_layout(barmode="overlay")
    return laid_out(figure, "group of ops that run together", "byte", 420)


def colour_of(name: str) -> str:
    """One colour for one name, on every machine."""
    return f"hsl({sum(ord(letter) * (place + 1) for place, letter in enumerate(name)) * 47 % 360}, 55%, 60%)"
