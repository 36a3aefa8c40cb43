"""What the calls of pictures that are under way leave for the next ones, in the place of a diffusers UNet."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

import torch

from ..ir.caching import FeatureCache, sources_of
from ..ir.calibration import Inputs, samples_in
from ..ir.program import Program

MOST = 16
"""Pictures, or halves of guided ones, that are remembered beside those of a call. What is forgotten costs a
full call, and nothing else."""
RESIDUAL = "_residual"
"""In the names of what a ControlNet tells, which is another thing at each call."""
PictureKey = tuple[int, bytes]


class DrawingCaches(threading.local):
    """A cache for each picture of a batch, or half of one: it has a place in the batch and conditions of its
    own. Each thread draws pictures of its own.

    A picture goes on where a call has the step after its last one; any other call begins a new picture.
    """

    def __init__(self, calls: int) -> None:
        """calls: of the schedule; 0 where nothing is cached."""
        self._calls = calls
        self._known: dict[PictureKey, tuple[int, FeatureCache]] = {}

    def begin(self) -> None:
        """The next call is a picture's first."""
        self._known.clear()

    def of(self, inputs: Inputs, step: int | None) -> Sequence[FeatureCache] | None:
        """One for each sample of a call; None where nothing is cached, or the step isn't the schedule's."""
        if not self._calls or step is None:
            return None
        found = [self._next(key, step) for key in _keys(inputs)]
        while len(self._known) > max(MOST, len(found)):
            del self._known[next(iter(self._known))]
        return found

    def _next(self, key: PictureKey, step: int) -> FeatureCache:
        last, cache = self._known.pop(key, (-1, FeatureCache()))
        if step != last + 1:
            cache = FeatureCache()
        if step + 1 < self._calls:
            self._known[key] = step, cache
        return cache

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy draws pictures of its own.
        return DrawingCaches, (self._calls,)


def drawing_caches(program: Program) -> DrawingCaches:
    """Those of pictures that a program draws."""
    return DrawingCaches(len(sources_of(program.graph)))


def _keys(inputs: Inputs) -> list[PictureKey]:
    """The place of each sample in the batch, and what it is told, but for what changes from call to call."""
    told = [value for name, value in sorted(inputs.items()) if name != "sample" and RESIDUAL not in name]
    count = samples_in({"sample": inputs["sample"]})
    return [(row, _digest([value[row] for value in told if len(value) == count])) for row in range(count)]


def _digest(values: Sequence[torch.Tensor]) -> bytes:
    own = hashlib.sha256()
    for value in values:
        own.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return own.digest()
