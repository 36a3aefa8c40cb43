"""Calibration samples as the compiler needs them: made when first read, and right for the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch

from ..ir.calibration import Calibration, Inputs
from ..ir.errors import DgqcError
from ..ir.program import Program
from ..ir.progress import track
from ..ir.sample_size import size_of
from ..ir.schedule import Schedule


def lazy(
    schedule: Schedule, origin: str, record: Callable[[], Calibration], synthetic: bool = True
) -> Calibration:
    """A calibration that is recorded when a pass first reads it.

    So passes that refuse a model do so before minutes of denoising.
    """
    recorded = cache(record)

    def read(step: int) -> Iterator[Inputs]:
        return recorded().read(step)

    return Calibration(schedule, read, synthetic=synthetic, origin=origin)


def shown(description: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` for work that reports each step, shown like any other progress."""
    steps: list[Iterator[int]] = []

    def advance(done: int, total: int) -> None:
        if not steps or done <= 1:
            # The first of all, or of another round.
            steps.clear()
            steps.append(track(range(total), description, total))
            next(steps[0], None)
        if done >= total:
            deque(steps[0], maxlen=0)
        else:
            next(steps[0], None)

    return advance


def sizes(calibration: Calibration) -> dict[str, Any]:
    """`sample_size` (height, width) and `context_length` of the first batch, as far as they stand there."""
    first = first_of(calibration)
    found: dict[str, Any] = {}
    if "sample" in first and first["sample"].dim() in (3, 4, 5):
        found["sample_size"] = size_of(first["sample"].shape)
    if "encoder_hidden_states" in first:
        found["context_length"] = int(first["encoder_hidden_states"].shape[1])
    return found


def check_samples(calibration: Calibration, program: Program) -> None:
    """Raises DgqcError when the first batch is not what the captured program takes, or is not finite."""
    first = first_of(calibration)
    for given in program.inputs:
        if given.name not in first:
            raise DgqcError(
                f"The calibration has no {given.name} (it has {', '.join(sorted(first))}), but the model "
                "takes it; record it with this model."
            )
        value = first[given.name]
        if tuple(value.shape[1:]) != given.shape[1:]:
            raise DgqcError(
                f"The calibration's {given.name} has shape {_shape(value.shape[1:])} per sample, but the "
                f"model takes {_shape(given.shape[1:])}; record it with this model."
            )
        if not torch.isfinite(value).all():
            raise DgqcError(
                f"The calibration's {given.name} holds values that are not finite; record it again."
            )


def first_of(calibration: Calibration) -> Inputs:
    """The first batch of the first call. Raises DgqcError where there is none."""
    batch = next(calibration.read(0), None)
    if batch is None:
        raise DgqcError("The calibration holds no samples for the first call; record it again.")
    return batch


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape) or "a single number"
