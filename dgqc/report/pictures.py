"""Pictures of a report: where the error is made, where bytes go, how groups differ, what the arena holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from .layers import LayerFacts
from .report import Report, entry_with

GREY, CLEAR = "#808080", "rgba(0,0,0,0)"
"""Letters that can be read on white and on black, on either of them."""
ROW = 14
"""Height of a layer in a picture that has a row for each."""
MOST_CHOICES = 400


def pictures(report: Report, layers: Sequence[LayerFacts]) -> dict[str, go.Figure]:
    """Those that the report has figures for, by title."""
    passes = report.get("passes", {})
    errors = entry_with(passes, "decibels")
    found = {
        "Where the error is made": _error_map(errors),
        "Where bytes go": _bytes(layers),
        "Where operations go": _operations(report.get("macs_by_kind_g", {})),
        "How coarse groups are rounded, by call": _chosen(layers, _steps, "Call", "multiple of the base"),
        "Codes of weights": _chosen(layers, _codes, "Code", "how often"),
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
    one, other = reports
    x, y = [first[path] for path in paths], [second[path] for path in paths]
    ends = [min(x + y), max(x + y)]
    marks = go.Scatter(x=x, y=y, text=paths, mode="markers", hovertemplate="%{text}: %{x} dB, %{y} dB")
    line = go.Scatter(x=ends, y=ends, mode="lines", line={"color": GREY, "dash": "dot"}, hoverinfo="skip")
    figure = go.Figure([marks, line])
    return _laid_out(figure, f"dB in {one}", f"dB in {other}", 480, legend=False)


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
            colorbar={"title": "dB", "thickness": 12},
            hovertemplate="%{y}, %{x}: %{z} dB<extra></extra>",
        )
    )
    laid = _laid_out(figure, "", "", 160 + ROW * len(paths))
    # Names stand on the colours: beside them they would leave no room on a phone.
    labels = {"ticklabelposition": "inside", "tickfont": {"color": "#111111", "size": 10}}
    laid.update_yaxes(autorange="reversed", showticklabels=len(paths) <= MOST_CHOICES, **labels)
    return laid


def _bytes(layers: Sequence[LayerFacts]) -> go.Figure | None:
    if not layers:
        return None
    labels, parents, values = [], [], []
    sizes: dict[str, int] = {}
    for one in layers:
        parts = one.path.split(".")
        for depth in range(1, len(parts) + 1):
            sizes[".".join(parts[:depth])] = sizes.get(".".join(parts[:depth]), 0) + one.size
    for path, size in sizes.items():
        labels.append(path)
        parents.append(path.rpartition(".")[0])
        values.append(size)
    names = [path.rpartition(".")[2] for path in labels]
    boxes = go.Treemap(
        ids=labels,
        labels=names,
        parents=parents,
        values=values,
        branchvalues="total",
        hovertemplate="%{id}: %{value} bytes<extra></extra>",
    )
    return _laid_out(go.Figure(boxes), "", "", 480)


def _operations(by_kind: Mapping[str, float]) -> go.Figure | None:
    if not by_kind:
        return None
    bars = go.Bar(x=list(by_kind.values()), y=list(by_kind), orientation="h")
    return _laid_out(go.Figure(bars), "billions of multiply-accumulates a call", "", 240)


def _chosen(
    layers: Sequence[LayerFacts], lines: Callable[[LayerFacts], list[Any]], x: str, y: str
) -> go.Figure | None:
    """A picture of one layer, with a menu of all of them."""
    drawn = [(one, lines(one)) for one in layers[:MOST_CHOICES]]
    drawn = [(one, found) for one, found in drawn if found]
    if not drawn:
        return None
    figure, owner = go.Figure(), []
    for place, (_, found) in enumerate(drawn):
        for trace in found:
            trace.visible = place == 0
            figure.add_trace(trace)
            owner.append(place)
    buttons = [
        {"label": one.path, "method": "update", "args": [{"visible": [own == place for own in owner]}]}
        for place, (one, _) in enumerate(drawn)
    ]
    menu = {
        "buttons": buttons,
        "x": 0,
        "xanchor": "left",
        "y": 1.15,
        "yanchor": "bottom",
        "font": {"size": 11},
    }
    figure.update_layout(updatemenus=[{**menu, "bgcolor": "#e8e8e8", "font": {"color": "#111111"}}])
    return _laid_out(figure, x, y, 420, top=110)


def _steps(one: LayerFacts) -> list[Any]:
    """A line for each group."""
    return [
        go.Scatter(y=[call[group] for call in one.steps], mode="lines+markers", name=f"group {group}")
        for group in range(len(one.steps[0]) if one.steps else 0)
    ]


def _codes(one: LayerFacts) -> list[Any]:
    codes = list(range(one.lowest, one.lowest + len(one.counts)))
    return [go.Bar(x=codes, y=list(one.counts), name=f"{one.bits} bits")]


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
    return _laid_out(figure, "group of ops that run together", "byte", 420)


def colour_of(name: str) -> str:
    """One colour for one name, on every machine."""
    return f"hsl({sum(ord(letter) * (place + 1) for place, letter in enumerate(name)) * 47 % 360}, 55%, 60%)"


def _laid_out(
    figure: go.Figure, x: str, y: str, height: int, *, legend: bool | None = None, top: int = 20
) -> go.Figure:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 10, "r": 10, "t": top, "b": 40},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"color": GREY, "family": "sans-serif", "size": 12},
        showlegend=legend,
        legend={"orientation": "h"},
    )
    figure.update_xaxes(title=x or None, automargin=True, gridcolor="rgba(128,128,128,0.2)")
    figure.update_yaxes(title=y or None, automargin=True, gridcolor="rgba(128,128,128,0.2)")
    return figure
