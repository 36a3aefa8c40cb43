"""Recorded UNet calls: what ranges are observed on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from .schedule import Schedule

Inputs = Mapping[str, torch.Tensor]
"""The float inputs of one UNet call by name, batch first: `sample` (B, C, H, W) and, where the model has
them, `encoder_hidden_states` (B, N, D), `class_labels` (B, ...), `text_embeds` (B, E), `time_ids` (B, 6)."""


@dataclass(frozen=True)
class Calibration:
    """Samples of a UNet's inputs for each call of a schedule.

    schedule: the calls the samples were recorded at.
    read: `read(step)` gives the batches recorded at that call, one after another, without holding the
        others in memory. The timestep itself is `schedule.timesteps[step]`.
    synthetic: True when the samples come from denoising noise without prompts, which the report says.
    origin: one line for the report: where the samples come from.
    versions: library name to version, as recorded.
    """

    schedule: Schedule
    read: Callable[[int], Iterator[Inputs]]
    synthetic: bool
    origin: str
    versions: Mapping[str, str] = field(default_factory=dict)
