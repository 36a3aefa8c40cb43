"""Draws `images/architecture.svg` from the code: rooms, the rooms inside them, how many modules know another.

python docs/architecture.py            writes the picture anew
python docs/architecture.py --check    says whether it is the code's
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import networkx
from source_tree import FACE, ROOT, Module, imports, modules

PICTURE = Path(__file__).parent / "images" / "architecture.svg"
MIDDLE = ("frontends", "passes", "backends")
"""Side by side, below the face and on the foundation."""
FOUNDATION = "ir"
WIDTH, HEIGHT, LINE = 162, 94, 14
"""Of an inner room, and of a line of its text."""
LETTER = 5.4
"""Its width, about."""
GAP, MARGIN, HEAD = 14, 14, 26
AISLE, LANE = 62, 76
"""Between rooms, for the arrows; beside them, for the one from top to bottom."""
COLOURS = {
    FACE: "#dbe7f6",
    "frontends": "#dff0df",
    "passes": "#fbeed0",
    "backends": "#f6dcdc",
    FOUNDATION: "#e6e0f2",
}
Place = tuple[str, str]
"""A room, and the room inside it; "" for the files that stand in the room itself."""


@dataclass(frozen=True)
class Box:
    """A rectangle of the picture."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def place_of(module: Module) -> Place:
    """Where a module stands."""
    room, *inner = module.path.relative_to(ROOT).parts
    return room, inner[0] if len(inner) > 1 else ""


def knowledge() -> Counter[tuple[Place, Place]]:
    """How many modules of one place import how many of another: pairs, counted.

    A package's `__init__` names what it offers; that is no need of its own.
    """
    known = modules()
    pairs: Counter[tuple[Place, Place]] = Counter()
    for module in known.values():
        if module.path.name != "__init__.py":
            pairs.update((place_of(module), place_of(known[other])) for other in imports(module, known))
    return pairs


def from_top(pairs: Iterable[tuple[str, str]], names: Iterable[str]) -> list[str]:
    """Names from those that nobody imports down to those that import nobody, else by the alphabet."""
    graph = networkx.DiGraph()
    graph.add_nodes_from(sorted(names))
    graph.add_edges_from(sorted(pair for pair in pairs if pair[0] != pair[1]))
    circles = networkx.condensation(graph)
    depth: dict[str, int] = {}
    for circle in networkx.topological_sort(circles):
        before = [
            depth[name] for other in circles.predecessors(circle) for name in circles.nodes[other]["members"]
        ]
        depth.update(dict.fromkeys(circles.nodes[circle]["members"], max(before, default=-1) + 1))
    return sorted(depth, key=lambda name: (depth[name], name))


def rounded(count: int) -> str:
    """Large counts in tens, so that the picture doesn't change with every line of code."""
    return str(count) if count < 10 else f"{count // 10 * 10}+"


class Picture:
    """The drawing as it grows: the face on top, the middle rooms side by side, all on one foundation."""

    def __init__(self) -> None:
        self.pairs = knowledge()
        self.files = Counter(
            place_of(module) for module in modules().values() if module.path.name != "__init__.py"
        )
        self.parts: list[str] = []

    def draw(self) -> str:
        """The whole picture as SVG."""
        columns = {room: math.ceil(math.sqrt(len(self._inner(room)))) for room in MIDDLE}
        widths = {room: count * (WIDTH + GAP) - GAP + 2 * MARGIN for room, count in columns.items()}
        whole = sum(widths.values()) + AISLE * (len(MIDDLE) - 1) + LANE
        face = self._room(FACE, Box(MARGIN, MARGIN, whole, self._height(FACE, len(self._inner(FACE)))))
        x, y = face.x, face.bottom + AISLE
        height = max(self._height(room, columns[room]) for room in MIDDLE)
        middle = {}
        for room in MIDDLE:
            middle[room] = self._room(room, Box(x, y, widths[room], height), columns[room])
            x += widths[room] + AISLE
        below = Box(MARGIN, y + height + AISLE, whole, self._height(FOUNDATION, len(self._inner(FOUNDATION))))
        foundation = self._room(FOUNDATION, below)
        for room, box in middle.items():
            self._down(FACE, room, box.middle, face.bottom, box.y)
            self._down(room, FOUNDATION, box.middle, box.bottom, foundation.y)
        self._down(FACE, FOUNDATION, whole + MARGIN - LANE * 0.7, face.bottom, foundation.y)
        self._aside("backends", "passes", middle["backends"].x, middle["passes"].right, y + height / 2)
        size = f"{whole + 2 * MARGIN:g} {foundation.bottom + MARGIN:g}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="sans-serif">'
        return "\n".join([head, *self.parts, "</svg>\n"])

    def _inner(self, room: str) -> list[str]:
        inside = [(one[1], other[1]) for one, other in self.pairs if one[0] == other[0] == room]
        return from_top(inside, {inner for name, inner in self.files if name == room})

    def _height(self, room: str, columns: int) -> float:
        return HEAD + math.ceil(len(self._inner(room)) / columns) * (HEIGHT + GAP) - GAP + MARGIN

    def _room(self, room: str, box: Box, columns: int | None = None) -> Box:
        """Draws a room with what is in it, in so many columns or all in one row."""
        inner = self._inner(room)
        columns = columns or len(inner)
        self.parts += [_rectangle(box, COLOURS[room], 8), _text(box.x + MARGIN, box.y + 18, f"{room}/", 14)]
        width = (box.width - 2 * MARGIN + GAP) / columns - GAP
        for number, name in enumerate(inner):
            row, column = divmod(number, columns)
            x, y = box.x + MARGIN + column * (width + GAP), box.y + HEAD + row * (HEIGHT + GAP)
            self.parts.append(_rectangle(Box(x, y, width, HEIGHT), "#ffffff", 4))
            self.parts.append(_text(x + 8, y + 18, f"{name}/" if name else "*.py", 13))
            texts = (self._size(room, name), self._known(room, name))
            lines = [line for text in texts for line in textwrap.wrap(text, int(width / LETTER))]
            self.parts += [
                _text(x + 8, y + 20 + LINE * (i + 1), line, 10, faint=True) for i, line in enumerate(lines)
            ]
        return box

    def _size(self, room: str, name: str) -> str:
        """How many files, and in which folders of its own."""
        count = self.files[room, name]
        folders = (
            sorted(path.parent.name for path in (ROOT / room / name).glob("*/__init__.py")) if name else []
        )
        return ", ".join([f"{count} file{'s' if count > 1 else ''}", *(f"{folder}/" for folder in folders)])

    def _known(self, room: str, name: str) -> str:
        """What an inner room imports of the others in its room."""
        found = {
            other[1] or "*.py": count
            for (one, other), count in self.pairs.items()
            if one == (room, name) and other[0] == room and other != one
        }
        most_first = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        # The space in a pair doesn't break.
        words = [f"{other}\N{NO-BREAK SPACE}{rounded(count)}" for other, count in most_first]
        return f"imports {', '.join(words)}" if words else ""

    def _count(self, room: str, other: str) -> str:
        total = sum(count for (one, two), count in self.pairs.items() if (one[0], two[0]) == (room, other))
        return rounded(total)

    def _down(self, room: str, other: str, x: float, top: float, bottom: float) -> None:
        self.parts.append(_arrow(x, top, x, bottom - 9, f"M {x:g} {bottom:g} l -5 -9 l 10 0 z"))
        self.parts.append(_text(x + 8, (top + bottom) / 2 + 4, self._count(room, other), 13))

    def _aside(self, room: str, other: str, right: float, left: float, y: float) -> None:
        self.parts.append(_arrow(right, y, left + 9, y, f"M {left:g} {y:g} l 9 -5 l 0 10 z"))
        self.parts.append(_text((left + right) / 2 - 8, y - 8, self._count(room, other), 13))


def _rectangle(box: Box, colour: str, corner: int) -> str:
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{corner}" '
        f'fill="{colour}" stroke="#666666"/>'
    )


def _text(x: float, y: float, text: str, size: int, faint: bool = False) -> str:
    style = 'fill="#555555"' if faint else 'fill="#111111" font-weight="bold"'
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" {style}>{text}</text>'


def _arrow(x: float, y: float, to_x: float, to_y: float, head: str) -> str:
    line = f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y:g}" stroke="#333333" stroke-width="1.6"/>'
    return f'{line}<path d="{head}" fill="#333333"/>'


def main() -> None:
    """Writes the picture, or compares it."""
    picture = Picture().draw()
    if "--check" not in sys.argv:
        PICTURE.write_text(picture, encoding="utf-8")
    elif PICTURE.read_text(encoding="utf-8") != picture:
        sys.exit(f"{PICTURE} isn't what the code looks like; run `python docs/architecture.py`")


if __name__ == "__main__":
    main()
