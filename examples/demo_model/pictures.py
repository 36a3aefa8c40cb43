"""Procedurally drawn 32x32 pictures of one or two flat shapes, with captions that describe them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PICTURE_SIZE = 32
"""Height and width of every picture, in pixels."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (235, 30, 30),
    "green": (20, 190, 50),
    "blue": (30, 60, 240),
    "yellow": (250, 225, 30),
    "purple": (180, 30, 210),
}
"""Shape colours, RGB in 0..255."""

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "black": (10, 10, 10),
    "white": (245, 245, 245),
    "grey": (128, 128, 128),
}
"""Background colours, RGB in 0..255."""

SHAPES: tuple[str, ...] = ("circle", "square", "triangle", "cross")
SIZES: dict[str, float] = {"small": 4.0, "large": 7.0}
"""Half of a shape's extent, in pixels."""

POSITIONS: dict[str, tuple[float, float]] = {
    "left": (16.0, 9.0),
    "right": (16.0, 23.0),
    "top": (9.0, 16.0),
    "bottom": (23.0, 16.0),
    "center": (16.0, 16.0),
}
"""Centre of a lone shape as (row, column), in pixels."""

RELATIONS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "left of": ((16.0, 8.0), (16.0, 24.0)),
    "right of": ((16.0, 24.0), (16.0, 8.0)),
    "above": ((8.0, 16.0), (24.0, 16.0)),
    "below": ((24.0, 16.0), (8.0, 16.0)),
}
"""Centres of the first and the second of two shapes, each as (row, column), in pixels."""

LONE_SHARE = 0.4
"""Share of sampled scenes that hold one shape."""

Offset = tuple[int, int]
STILL: tuple[Offset, Offset] = ((0, 0), (0, 0))
"""Offsets of figures that stand where they are said to."""


@dataclass(frozen=True)
class Figure:
    """One shape with its named size and colour."""

    size: str
    colour: str
    shape: str

    def words(self) -> str:
        """The figure as a noun phrase, such as ``a large red circle``."""
        return f"a {self.size} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    ``figures`` holds one or two figures.  ``layout`` is a key of :data:`POSITIONS` for one figure and
    a key of :data:`RELATIONS` (first to second) for two.  ``offsets`` moves each figure by -1..1 pixels
    in (row, column); captions do not mention it.
    """

    figures: tuple[Figure, ...]
    layout: str
    background: str
    offsets: tuple[Offset, ...] = STILL

    def caption(self) -> str:
        """The caption, 10 to 14 words of the grammar."""
        if len(self.figures) == 1:
            what = f"{self.figures[0].words()} at the {self.layout}"
        else:
            what = f"{self.figures[0].words()} {self.layout} {self.figures[1].words()}"
        return f"{what} on a {self.background} background"

    def centres(self) -> tuple[tuple[float, float], ...]:
        """Centre (row, column) of every figure, in pixels, without the offsets."""
        if len(self.figures) == 1:
            return (POSITIONS[self.layout],)
        return RELATIONS[self.layout]


def vocabulary() -> list[str]:
    """Every word a caption can hold, in a fixed order."""
    words = ["a", "at", "the", "on", "background", "of"]
    words += [*SIZES, *COLOURS, *SHAPES, *POSITIONS, "above", "below", *BACKGROUNDS]
    return list(dict.fromkeys(words))


def reworded(caption: str, words: Mapping[str, str]) -> str:
    """A caption with other words in the place of some of the grammar's."""
    return " ".join(words.get(word, word) for word in caption.split())


def read_words(path: Path) -> dict[str, str]:
    """A JSON object from words of the grammar to other ones.

    Raises ValueError where a word isn't of the grammar, or two would become one.
    """
    words: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(words) - set(vocabulary()))
    if unknown:
        raise ValueError(f"{path} has other words for {', '.join(unknown)}, which no caption holds.")
    if len({reworded(word, words) for word in vocabulary()}) < len(vocabulary()):
        raise ValueError(f"{path} makes one word of two.")
    return words


def is_held_out(scene: Scene) -> bool:
    """Whether the scene's pair of (colour, shape) figures is one that training never draws.

    Every seventh unordered pair is held out, over all sizes, relations and backgrounds; lone figures
    never are, so each figure is known and only the combination is new.
    """
    if len(scene.figures) != 2:
        return False
    colours, shapes = list(COLOURS), list(SHAPES)
    total = sum(colours.index(figure.colour) + 3 * shapes.index(figure.shape) for figure in scene.figures)
    return total % 7 == 3


def parse_caption(caption: str) -> Scene:
    """The scene (without offsets) that a caption of the grammar describes."""
    what, separator, place = caption.rpartition(" on a ")
    background, _, last = place.partition(" ")
    if not separator or background not in BACKGROUNDS or last != "background":
        raise ValueError(f"not a caption: {caption!r}")
    for relation in RELATIONS:
        first, separator, second = what.partition(f" {relation} ")
        if separator:
            return Scene((_parse_figure(first), _parse_figure(second)), relation, background)
    figure, _, position = what.partition(" at the ")
    if position not in POSITIONS:
        raise ValueError(f"not a caption: {caption!r}")
    return Scene((_parse_figure(figure),), position, background)


def _parse_figure(words: str) -> Figure:
    parts = words.split(" ")
    if len(parts) != 4 or parts[0] != "a":
        raise ValueError(f"not a figure: {words!r}")
    size, colour, shape = parts[1:]
    if size not in SIZES or colour not in COLOURS or shape not in SHAPES:
        raise ValueError(f"not a figure: {words!r}")
    return Figure(size, colour, shape)


def sample_scene(
    rng: np.random.Generator, held_out: bool | None = False, lone_share: float = LONE_SHARE
) -> Scene:
    """A random scene: a training composition, with ``held_out`` one of the others, with ``None`` any.

    lone_share: of scenes that hold one shape, where that can be.
    """
    while True:
        scene = _any_scene(rng, 0.0 if held_out else lone_share)
        if held_out is None or is_held_out(scene) == held_out:
            return scene


def _any_scene(rng: np.random.Generator, lone_share: float) -> Scene:
    count = 1 if rng.random() < lone_share else 2
    figures = tuple(Figure(_pick(rng, SIZES), _pick(rng, COLOURS), _pick(rng, SHAPES)) for _ in range(count))
    layout = _pick(rng, POSITIONS if count == 1 else RELATIONS)
    moves = rng.integers(-1, 2, size=(2, 2))
    offsets = tuple((int(row), int(column)) for row, column in moves)
    return Scene(figures, layout, _pick(rng, BACKGROUNDS), offsets)


def _pick(rng: np.random.Generator, names: Iterable[str]) -> str:
    choices = list(names)
    return choices[int(rng.integers(len(choices)))]


def draw(scene: Scene) -> NDArray[np.uint8]:
    """Draw a scene with antialiased edges: uint8[32, 32, 3], RGB."""
    picture = np.empty((PICTURE_SIZE, PICTURE_SIZE, 3), dtype=np.float32)
    picture[:] = BACKGROUNDS[scene.background]
    for figure, centre, offset in zip(scene.figures, scene.centres(), scene.offsets, strict=False):
        place = (centre[0] + offset[0], centre[1] + offset[1])
        cover = _coverage(figure.shape, SIZES[figure.size], place)[:, :, None]
        picture += cover * (np.asarray(COLOURS[figure.colour], dtype=np.float32) - picture)
    return np.rint(picture).astype(np.uint8)


def _coverage(shape: str, radius: float, centre: tuple[float, float]) -> NDArray[np.float32]:
    """Share of each pixel that the shape covers: float32[32, 32] in 0..1."""
    middles = np.arange(PICTURE_SIZE, dtype=np.float32) + 0.5
    rows = (middles - centre[0])[:, None]
    columns = (middles - centre[1])[None, :]
    if shape == "circle":
        outside = np.sqrt(rows**2 + columns**2) - radius
    elif shape == "square":
        outside = np.maximum(abs(rows), abs(columns)) - 0.9 * radius
    elif shape == "triangle":
        sides = (2.0 * abs(columns) - rows - radius) / np.sqrt(5.0, dtype=np.float32)
        outside = np.maximum(sides, rows - radius + 0.5)
    elif shape == "cross":
        arm = 0.32 * radius
        upright = np.maximum(abs(columns) - arm, abs(rows) - radius)
        level = np.maximum(abs(rows) - arm, abs(columns) - radius)
        outside = np.minimum(upright, level)
    else:
        raise ValueError(f"unknown shape {shape!r}")
    return np.clip(0.5 - outside, 0.0, 1.0).astype(np.float32)
