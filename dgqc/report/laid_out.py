"""How pictures of all pages look: letters and lines that can be read on white and on black."""

from __future__ import annotations

import plotly.graph_objects as go

GREY, CLEAR = "#808080", "rgba(0,0,0,0)"
GRID = "rgba(128,128,128,0.2)"


def laid_out(figure: go.Figure, x: str, y: str, height: int, *, legend: bool | None = None) -> go.Figure:
    """A figure with names at its axes. x, y: empty for none."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 10, "r": 10, "t": 20, "b": 40},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"color": GREY, "family": "sans-serif", "size": 12},
        showlegend=legend,
        legend={"orientation": "h", "y": -0.2},
    )
    figure.update_xaxes(title=x or None, automargin=True, gridcolor=GRID, zerolinecolor=GRID)
    figure.update_yaxes(title=y or None, automargin=True, gridcolor=GRID, zerolinecolor=GRID)
    return figure
