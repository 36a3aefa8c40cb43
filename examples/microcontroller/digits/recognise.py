"""Says which digit a picture shows: the one whose own drawings are nearest. Nothing is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .pictures import DIGITS, draw

DRAWINGS = 300
"""Of each digit, to compare with."""
NEIGHBOURS = 5


class Recogniser:
    """Compares pictures with drawings by the angle between them, and lets the nearest ones vote."""

    def __init__(self, seed: int = 12345) -> None:
        """seed: of the drawings; not one that training begins with."""
        rng = np.random.default_rng(seed)
        self.labels = np.repeat(np.arange(DIGITS), DRAWINGS)
        self.drawings = _directions(np.stack([draw(int(label), rng) for label in self.labels]))

    def read(self, pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The digits that pictures uint8[N, 16, 16] show."""
        nearest = np.argsort(-_directions(pictures) @ self.drawings.T, axis=1)[:, :NEIGHBOURS]
        votes: NDArray[np.int64] = np.stack([np.bincount(v, minlength=DIGITS) for v in self.labels[nearest]])
        digits: NDArray[np.int64] = votes.argmax(axis=1)
        return digits


def _directions(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Pictures as unit vectors without their mean; one of a single grey becomes zero."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    directions: NDArray[np.float64] = flat / np.where(lengths > 0, lengths, 1.0)
    return directions
