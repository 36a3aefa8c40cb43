"""Pictures drawn round by round, each as many as all before it, until someone has seen enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ...ir.calibration import Calibration
from ...ir.errors import DgqcError
from .drawings import Drawings
from .recorder import Progress, Recorder

FIRST = 4
"""Pictures of the first round, or a whole batch."""

Enough = Callable[[Any, int, Calibration, Calibration], bool]
"""enough(pipeline, pictures, calls, latest): whether so many pictures do. calls: of all of them; latest: of
the last round alone."""


Draw = Callable[[int, int], tuple[Calibration, Calibration]]
"""draw(begin, end): the calls of all pictures up to `end`, and of those from `begin` on alone."""


def in_rounds(pipeline: Any, draw: Draw, count: int, batch_size: int, enough: Enough) -> int:
    """Draws at most so many pictures; how many there are in the end.

    Raises DgqcError where there is a single round.
    """
    first = max(FIRST, batch_size)
    if count <= first:
        raise DgqcError(
            f"{count} pictures in batches of {batch_size} are a single round, which has none before it; give "
            f"more than {first}, or smaller batches."
        )
    return next(
        end for begin, end in rounds(count, first) if enough(pipeline, end, *draw(begin, end)) or end == count
    )


def record_in_rounds(
    drawings: Drawings,
    count: int,
    batch_size: int,
    seed: int,
    progress: Progress | None,
    calls: int,
    enough: Enough,
) -> tuple[Recorder, int]:
    """As `in_rounds`, what was recorded of a pipeline, and how many pictures there are.

    The i-th picture is the one that would be drawn if all were. calls: of a picture.
    """
    drawings.warn_of_unknown_words()
    asked = drawings.asked(count, seed)
    whole: list[Recorder] = []

    def draw(begin: int, end: int) -> tuple[Calibration, Calibration]:
        latest = drawings.record_asked(asked[begin:end], batch_size, progress, calls)
        whole[:] = [_joined(whole[0], latest) if whole else latest]
        found = _calibration(drawings, whole[0], end)
        return found, _last(found, len(latest.batches))

    count = in_rounds(drawings.pipeline, draw, count, batch_size, enough)
    return whole[0], count


def denoise_in_rounds(
    pipeline: Any,
    denoise: Callable[[int, int], Calibration],
    count: int,
    batch_size: int,
    enough: Enough,
) -> tuple[Calibration, int]:
    """The same of pictures that no pipeline draws. denoise(first, count): so many, of seeds of theirs."""
    whole: list[Calibration] = []

    def draw(begin: int, end: int) -> tuple[Calibration, Calibration]:
        latest = denoise(begin, end - begin)
        whole[:] = [whole[0].followed_by(latest) if whole else latest]
        return whole[0], latest

    count = in_rounds(pipeline, draw, count, batch_size, enough)
    return whole[0], count


def rounds(count: int, first: int) -> Iterator[tuple[int, int]]:
    """The first picture of each round, and the first after it: 0, 4; 4, 8; 8, 16 ..., up to `count`."""
    begin, end = 0, min(first, count)
    while begin < count:
        yield begin, end
        begin, end = end, min(2 * end, count)


def _joined(one: Recorder, other: Recorder) -> Recorder:
    return replace(one, batches=one.batches + other.batches, timesteps=one.timesteps + other.timesteps)


def _last(calls: Calibration, count: int) -> Calibration:
    """The last so many batches of each call."""
    return replace(calls, read=lambda step: iter(list(calls.read(step))[-count:]))


def _calibration(drawings: Drawings, recorder: Recorder, count: int) -> Calibration:
    found = recorder.calibration(drawings.origin(count), type(drawings.pipeline.scheduler).__name__)
    return replace(found, guidance_scale=drawings.guidance_scale)
