"""Recorded UNet calls: what ranges are observed on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import torch

from .sampler import Sampler
from .schedule import Schedule

Inputs = Mapping[str, torch.Tensor]
"""The float inputs of one UNet call by name, batch first: `sample` (B, C, H, W) and, where the model has
them, `encoder_hidden_states` (B, N, D), `class_labels` (B, ...), `text_embeds` (B, E), `time_ids` (B, 6),
`image_embeds` (B, E). A text encoder's: `input_ids` (B, N)."""


@dataclass(frozen=True)
class Answers:
    """What the float network makes of the first and of the last sample of a call, floats with one sample."""

    first: torch.Tensor
    last: torch.Tensor


@dataclass(frozen=True)
class Calibration:
    """Samples of a UNet's inputs for each call of a schedule.

    schedule: the calls the samples were recorded at.
    read: `read(step)` gives the batches recorded at that call, one after another, without holding the
        others in memory. The timestep itself is `schedule.timesteps[step]`. It is called by one thread;
        what it gives for several steps may be taken by several at once.
    synthetic: True when contexts, or what else only another network knows, were drawn at random, which the
        report says.
    origin: one line for the report: where the samples come from.
    versions: library name to version, as recorded.
    guidance_scale: of the pictures, where it is known.
    sampler: gives what the pictures' scheduler does between the calls, and raises DgqcError where that is no
        fixed sum; None where nobody knows the scheduler.
    more: draws as many again, none of them among these; None where there are no others.
    answers: by step, where all samples were run: what passes that only change how the network is quantized
        needn't ask again.
    """

    schedule: Schedule
    read: Callable[[int], Iterator[Inputs]]
    synthetic: bool
    origin: str
    versions: Mapping[str, str] = field(default_factory=dict)
    more: Callable[[], Calibration] | None = None
    guidance_scale: float | None = None
    sampler: Callable[[], Sampler] | None = None
    answers: Mapping[int, Answers] = field(default_factory=dict)

    def followed_by(self, others: Calibration) -> Calibration:
        """These samples, then others of the same schedule; what those can draw may follow."""

        def read(step: int) -> Iterator[Inputs]:
            yield from self.read(step)
            yield from others.read(step)

        return replace(self, read=read, origin=f"{self.origin}; {others.origin}", more=others.more)


def samples_in(inputs: Inputs) -> int:
    """How many samples a batch holds."""
    return len(next(iter(inputs.values())))


def reads(calibration: Calibration, steps: Iterable[int]) -> Iterator[tuple[int, Iterator[Inputs]]]:
    """Each step with its batches, for work on several steps side by side."""
    return ((step, calibration.read(step)) for step in steps)


def spaced(calls: int, count: int) -> list[int]:
    """So many of the calls, evenly spaced, from the first to the last."""
    return sorted({round(i * (calls - 1) / max(count - 1, 1)) for i in range(count)})
