"""Recorded samples that don't calibrate, so that a program is checked on something that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

from ...ir.calibration import Calibration, Inputs, samples_in

ENOUGH = 8
"""Samples of a call, from which on one picture's can be spared."""


def hold_out(calibration: Calibration) -> tuple[Calibration, Calibration | None]:
    """The calibration without its last picture, and that picture's calls; None where samples are too few.

    The picture is the last row of each call's last batch; of a batch with an even number also the row in its
    middle, which belongs to the same picture where pictures are guided. Same samples, same choice.
    """
    for step in range(len(calibration.schedule)):
        if not _enough(calibration.read(step)):
            return calibration, None

    def kept(step: int) -> Iterator[Inputs]:
        for inputs, last in _with_last(calibration.read(step)):
            if not last:
                yield inputs
            elif rows := sorted(set(range(_size(inputs))) - set(_spared(inputs))):
                yield _rows(inputs, rows)

    def spared(step: int) -> Iterator[Inputs]:
        for inputs, last in _with_last(calibration.read(step)):
            if last:
                yield _rows(inputs, _spared(inputs))

    origin = f"{calibration.origin}, without the last picture"
    # Who draws others would draw the last one's neighbours, which nobody needs: these are recorded.
    return replace(calibration, read=kept, origin=origin, more=None), replace(
        calibration, read=spared, origin=f"the last picture of {calibration.origin}", more=None
    )


def _spared(inputs: Inputs) -> list[int]:
    size = _size(inputs)
    return [size - 1] if size % 2 else [size // 2 - 1, size - 1]


def _with_last(batches: Iterator[Inputs]) -> Iterator[tuple[Inputs, bool]]:
    """Each batch, and whether none follows."""
    ahead = next(batches, None)
    while ahead is not None:
        following = next(batches, None)
        yield ahead, following is None
        ahead = following


def _enough(batches: Iterator[Inputs]) -> bool:
    """Reads no more of them than it takes to know."""
    return any(total >= ENOUGH for total in accumulate(_size(inputs) for inputs in batches))


def _size(inputs: Inputs) -> int:
    return samples_in(inputs)


def _rows(inputs: Inputs, rows: list[int]) -> Inputs:
    return {name: value[rows] for name, value in inputs.items()}
