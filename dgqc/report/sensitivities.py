"""What each width of a weight or an operand would cost the output, and which one `assign-bits` took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from .laid_out import laid_out
from .report import entry_with

TAKEN = {"size": 11, "symbol": "circle-open", "color": "#888888"}
"""A ring around the mark of the width that was taken."""


def sensitivities(passes: Mapping[str, Any]) -> dict[str, go.Figure | None]:
    """By title. passes: what each pass reported."""
    found = entry_with(passes, "sensitivities") or entry_with(passes, "operand-sensitivities")
    return {
        "What each width of a weight costs": _by_width(found, ""),
        "What each width of an operand costs": _by_width(found, "operand-"),
    }


def _by_width(found: Mapping[str, Any], what: str) -> go.Figure | None:
    """A mark for each width of each item, in the order in which the program has them."""
    each: Mapping[str, Mapping[str, float]] = found.get(f"{what}sensitivities") or {}
    bits: Mapping[str, int] = found.get(f"{what}bits") or {}
    if not each:
        return None
    names = list(each)
    widths = sorted({int(width) for one in each.values() for width in one})
    marks = [
        go.Scatter(
            x=names,
            y=[each[name].get(str(width)) for name in names],
            mode="markers",
            marker={"size": 5},
            name=f"{width} bits",
            hovertemplate=f"%{{x}}, {width} bits: %{{y}} dB<extra></extra>",
        )
        for width in widths
    ]
    taken = go.Scatter(
        x=names,
        y=[each[name].get(str(bits[name])) for name in names],
        mode="markers",
        marker=TAKEN,
        name="taken",
        hoverinfo="skip",
    )
    figure = laid_out(go.Figure([*marks, taken]), "", "dB below the output's energy", 480)
    return figure.update_xaxes(showticklabels=False)
