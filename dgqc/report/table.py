"""Tables for a terminal."""

from __future__ import annotations

import re
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PIECES = re.compile(r"[^\s./,+-]*(?:[./,+-]+|\s+|$)")
"""A name goes on in the next line behind a dot, a slash, a comma, a plus or a hyphen: never within a word."""
WORDS = re.compile(r"[^_=]*(?:[_=]+|$)")
"""Where a piece that is wider than a line is broken."""
WHOLE = 0.7
"""Of a terminal's width: up to here the names in the first column stay in one line."""


class WholeNames(Table):
    """A table whose cells are broken between the parts of names."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(Pieces(one) if isinstance(one, str) else one for one in cells), **options)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = [one for one in self.columns[0].cells if isinstance(one, Pieces)]
        longest = max((len(line) for one in names for line in one.text.split("\n")), default=0)
        self.columns[0].no_wrap = longest <= WHOLE * options.max_width
        yield from super().__rich_console__(console, options)


class Pieces:
    """One cell's text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def lines(self, width: int) -> list[str]:
        """The text in lines of at most so many letters; a word that is longer stands in several.

        What begins further in goes on as far in.
        """
        found: list[str] = []
        for line in self.text.split("\n"):
            inner = line.lstrip()
            margin = line[: min(len(line) - len(inner), width // 4)]
            found += [margin + one for one in _broken(inner, width - len(margin))]
        return [line.rstrip() if line.strip() else line for line in found]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self.lines(options.max_width)
        yield Text("\n".join(lines), justify=options.justify, no_wrap=True, overflow="ignore")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        longest = max((len(piece.rstrip()) for piece in PIECES.findall(self.text)), default=0)
        whole = max(map(len, self.text.split("\n")))
        return Measurement(min(longest, options.max_width), min(whole, options.max_width))


def _broken(line: str, width: int) -> list[str]:
    found = [""]
    for piece in PIECES.findall(line):
        for word in [piece] if len(piece.rstrip()) <= width else WORDS.findall(piece):
            if found[-1] and len(found[-1]) + len(word.rstrip()) > width:
                found[-1] = found[-1].rstrip()
                found.append("")
            found[-1] += word
            while len(found[-1].rstrip()) > width:
                found[-1:] = [found[-1][:width], found[-1][width:]]
    return found


def table(*columns: str, title: str | None = None) -> Table:
    """A table whose columns but the first are aligned right. What is too long goes on in the next line."""
    made = WholeNames(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, column in enumerate(columns):
        made.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    return made
