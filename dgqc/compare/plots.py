"""Rows as pictures, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..ir.storage.whole import whole_file
from .row import Row

WIDTH = 9.0
COLOURS = 10
"""Matplotlib's own."""
LINES = ("-", "--", ":", "-.")


def plot(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """Writes trajectory.png, size.png and layers.png, as far as rows have something to show."""
    measured = [row for row in rows if row.snr_db]
    sized = [row for row in measured if row.size_mb is not None]
    layered = [row for row in measured if row.layers_db]
    made = []
    if measured:
        made.append(_trajectory(folder / "trajectory.png", measured))
    if sized:
        made.append(_sizes(folder / "size.png", sized))
    if layered:
        made.append(_layers(folder / "layers.png", layered))
    return made


def style(place: int) -> dict[str, str]:
    """How a row's line is drawn: another colour, and after all of these another kind of line."""
    return {"color": f"C{place % COLOURS}", "linestyle": LINES[place // COLOURS % len(LINES)]}


def _trajectory(path: Path, rows: Sequence[Row]) -> Path:
    figure, axes = _empty(5.0)
    for place, row in enumerate(rows):
        axes.plot(range(len(row.snr_db)), row.snr_db, label=row.name, linewidth=1.2, **style(place))
    axes.set(xlabel="UNet call", ylabel="signal to noise, dB")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return _saved(figure, path)


def _sizes(path: Path, rows: Sequence[Row]) -> Path:
    figure, axes = _empty(5.0)
    axes.scatter([row.size_mb for row in rows], [row.mean_db for row in rows], s=12)
    for row in rows:
        axes.annotate(
            row.name, (row.size_mb, row.mean_db), fontsize=6, xytext=(3, 2), textcoords="offset points"
        )
    axes.set(xlabel="weights and tables, MB", ylabel="signal to noise, mean of all calls, dB")
    return _saved(figure, path)


def _layers(path: Path, rows: Sequence[Row]) -> Path:
    figure, axes = _empty(0.3 * len(rows) + 1.5)
    values = [[value for value in row.layers_db.values() if value is not None] for row in rows]
    axes.boxplot(values, orientation="horizontal", tick_labels=[row.name for row in rows], widths=0.6)
    axes.invert_yaxis()
    axes.set(xlabel="signal to noise of each layer's output, dB")
    return _saved(figure, path)


def _empty(height: float) -> tuple[Any, Any]:
    # Without pyplot, which would look for a screen and hold on to every figure.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    return figure, axes


def _saved(figure: Any, path: Path) -> Path:
    with whole_file(path) as unfinished:
        figure.savefig(unfinished, dpi=120, bbox_inches="tight", format=path.suffix[1:])
    return path
