"""All rows as one page to look at: figures, trajectories, layers, and the pictures drawn."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO

import plotly.graph_objects as go
from PIL import Image

from ..report.document import Chosen, chosen, document, drawn, named, sorted_table
from ..report.laid_out import laid_out
from .drawing import Pictures
from .output import DIGITS, columns
from .row import Row
from .run import DrawnColumns

SIDE = 192
"""Most pixels of a picture's side; larger ones are made smaller and kept as JPEG."""
SHOWN = 8
"""Pictures of each set of prompts."""
QUALITY = 88
FIGURES = "Figures"


def as_page(rows: Sequence[Row], drawings: Mapping[str, DrawnColumns], about: Sequence[str] = ()) -> str:
    """drawings: by the name of the set of prompts, empty for the first. about: sentences at the top."""
    measured = [row for row in rows if row.snr_db]
    parts = {
        FIGURES: sorted_table(columns(rows), ([_cell(row, name) for name in columns(rows)] for row in rows))
    }
    if measured:
        parts["Signal to noise, call by call"] = drawn(_trajectories(measured))
        parts["Size and signal to noise"] = drawn(_sizes(measured))
    layered = [row for row in measured if row.layers_db]
    if layered:
        parts["Layers"] = chosen(_layers(layered))
    for name, some in drawings.items():
        parts[f"Pictures, {name}" if name else "Pictures"] = _grid(some)
    said = "".join(f"<p>{escape(one)}</p>" for one in about)
    body = "".join(f"<h2>{escape(title)}</h2>{text}" for title, text in parts.items())
    return document("Compared", said + body)


def _cell(row: Row, name: str) -> str | float | None:
    found: str | float | None = row.columns().get(name)
    return found if found is None or isinstance(found, str) else round(found, DIGITS.get(name, 2))


def _trajectories(rows: Sequence[Row]) -> go.Figure:
    lines = [go.Scatter(y=list(row.snr_db), mode="lines", name=row.name) for row in rows]
    return laid_out(go.Figure(lines), "call", "dB", 460, legend=True)


def _sizes(rows: Sequence[Row]) -> go.Figure:
    sized = [row for row in rows if row.size_mb is not None]
    marks = go.Scatter(
        x=[row.size_mb for row in sized],
        y=[row.mean_db for row in sized],
        text=[row.name for row in sized],
        mode="markers",
        hovertemplate="%{text}: %{x:.2f} MB, %{y:.1f} dB<extra></extra>",
    )
    return laid_out(go.Figure(marks), "weights and tables, MB", "mean of all calls, dB", 420, legend=False)


def _layers(rows: Sequence[Row]) -> Chosen:
    traces = {}
    for row in rows:
        known = {path: value for path, value in row.layers_db.items() if value is not None}
        marks = {"type": "scatter", "mode": "markers", "y": list(known.values()), "text": list(known)}
        traces[row.name] = [{**marks, "hovertemplate": "%{text}: %{y} dB<extra></extra>"}]
    figure = laid_out(go.Figure(), "layer, in the order of running", "dB", 420, legend=False)
    return Chosen(traces, figure, "Signal to noise of each layer's output, as integers.")


def _grid(some: DrawnColumns) -> str:
    """A column for each preset; a prompt stands above its pictures, of which two fit on a phone's screen."""
    heads = "".join(f"<th>{named(name)}</th>" for name in some.pictures)
    body = ""
    for place, prompt in enumerate(some.prompts):
        cells = "".join(
            f"<td><img alt='{escape(name, quote=True)}' src='{_embedded(pictures[place])}'></td>"
            for name, pictures in some.pictures.items()
        )
        above = f"<tr class='prompt'><td colspan='{len(some.pictures)}'>{named(prompt)}</td></tr>"
        body += f"{above}<tr>{cells}</tr>"
    return f"<table class='drawings'><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _embedded(picture: Pictures) -> str:
    """One picture, (height, width, 3), as an address that holds it."""
    image, kind = Image.fromarray(picture), "png"
    if max(image.size) > SIDE:
        image.thumbnail((SIDE, SIDE))
        kind = "jpeg"
    buffer = BytesIO()
    image.save(buffer, format=kind, quality=QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
