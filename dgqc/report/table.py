"""Tables for a terminal."""

from __future__ import annotations

from rich.table import Table


def table(*columns: str, title: str | None = None) -> Table:
    """A table whose columns but the first are aligned right. What is too long goes on in the next line."""
    made = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return made
