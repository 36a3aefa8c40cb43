"""Hand-drawn-looking digits, 16x16 grey, drawn from strokes of our own with a jitter of pen and hand."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SIZE = 16
"""Height and width of a picture, in pixels."""
DIGITS = 10

Point = tuple[float, float]
"""(column, row), 0..1 over the digit's own box, rows downwards."""
Stroke = tuple[Point, ...]


def _arc(centre: Point, radii: Point, start: float, end: float, points: int = 14) -> Stroke:
    """Part of an ellipse from one angle to another; in degrees, 0 to the right, growing clockwise."""
    angles = np.radians(np.linspace(start, end, points))
    return tuple((centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles)


STYLES: dict[int, tuple[tuple[Stroke, ...], ...]] = {
    0: (
        (_arc((0.5, 0.5), (0.45, 0.5), 0, 360, 28),),
        (_arc((0.5, 0.5), (0.33, 0.5), 0, 360, 28),),
    ),
    1: (
        (((0.5, 0.0), (0.5, 1.0)),),
        (((0.22, 0.24), (0.55, 0.0), (0.55, 1.0)),),
        (((0.22, 0.24), (0.55, 0.0), (0.55, 1.0)), ((0.2, 1.0), (0.9, 1.0))),
    ),
    2: (
        ((*_arc((0.5, 0.28), (0.4, 0.28), 190, 390), (0.08, 1.0), (0.95, 1.0)),),
        ((*_arc((0.5, 0.25), (0.38, 0.25), 180, 360), (0.8, 0.5), (0.1, 1.0), (0.92, 1.0)),),
    ),
    3: (
        (_arc((0.45, 0.26), (0.38, 0.26), 200, 450), _arc((0.45, 0.75), (0.45, 0.25), -90, 160)),
        (((0.1, 0.0), (0.85, 0.0), (0.42, 0.42)), _arc((0.42, 0.71), (0.45, 0.29), -90, 150)),
    ),
    4: (
        (((0.62, 0.0), (0.05, 0.68), (0.98, 0.68)), ((0.72, 0.35), (0.72, 1.0))),
        (((0.15, 0.0), (0.1, 0.52), (0.9, 0.52)), ((0.82, 0.0), (0.82, 1.0))),
    ),
    5: (
        (((0.9, 0.0), (0.2, 0.0), (0.14, 0.45), *_arc((0.45, 0.68), (0.43, 0.31), -120, 145)),),
        (((0.85, 0.0), (0.15, 0.0), (0.15, 0.44), (0.5, 0.42), *_arc((0.48, 0.71), (0.4, 0.29), -60, 150)),),
    ),
    6: (
        ((*_arc((0.75, 0.62), (0.68, 0.62), 268, 185), *_arc((0.5, 0.7), (0.41, 0.3), 180, 540, 28)),),
        (((0.68, 0.0), (0.16, 0.58), *_arc((0.5, 0.7), (0.4, 0.3), 200, 560, 28)),),
    ),
    7: (
        (((0.08, 0.0), (0.92, 0.0), (0.4, 1.0)),),
        (((0.08, 0.0), (0.92, 0.0), (0.4, 1.0)), ((0.3, 0.5), (0.88, 0.5))),
    ),
    8: (
        (_arc((0.5, 0.25), (0.36, 0.25), 90, 450, 24), _arc((0.5, 0.75), (0.43, 0.25), -90, 270, 24)),
        (_arc((0.5, 0.22), (0.28, 0.22), 90, 450, 24), _arc((0.5, 0.72), (0.42, 0.28), -90, 270, 24)),
    ),
    9: (
        (_arc((0.5, 0.3), (0.4, 0.3), 0, 360, 28), ((0.9, 0.3), (0.84, 0.65), (0.55, 1.0))),
        (_arc((0.48, 0.29), (0.36, 0.29), 0, 360, 28), ((0.84, 0.1), (0.84, 1.0))),
    ),
}
"""Ways to write each digit: polylines in its box."""


def draw(digit: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One picture uint8[16, 16] of a digit 0..9, white on black, in a random style and a random hand."""
    ways = STYLES[digit]
    strokes = ways[int(rng.integers(len(ways)))]
    height = rng.uniform(10.0, 12.0)
    width = height * rng.uniform(0.52, 0.72)
    slant = rng.uniform(-0.22, 0.22)
    turn = rng.uniform(-0.08, 0.08)
    centre = 7.5 + rng.uniform(-0.8, 0.8, size=2)
    pen = rng.uniform(0.75, 1.15)
    distance = np.full((SIZE, SIZE), np.inf)
    for stroke in strokes:
        box = np.array(stroke) - 0.5
        rows = box[:, 1] * height
        columns = box[:, 0] * width - slant * rows
        points = (
            np.stack(
                [
                    columns * math.cos(turn) - rows * math.sin(turn),
                    columns * math.sin(turn) + rows * math.cos(turn),
                ],
                axis=1,
            )
            + centre
        )
        distance = np.minimum(distance, _distance(points))
    return np.rint(255 * np.clip(pen + 0.5 - distance, 0.0, 1.0)).astype(np.uint8)


def _distance(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """From each pixel's middle to the nearest point of a polyline [N, 2] of (column, row): [16, 16]."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    pixels = np.stack([columns, rows], axis=-1)[:, :, None, :]
    starts, ends = points[:-1], points[1:]
    along = ends - starts
    lengths = np.maximum((along**2).sum(axis=1), 1e-12)
    place = np.clip(((pixels - starts) * along).sum(axis=-1) / lengths, 0.0, 1.0)
    nearest = starts + place[..., None] * along
    distances: NDArray[np.float64] = np.sqrt(((pixels - nearest) ** 2).sum(axis=-1)).min(axis=2)
    return distances
