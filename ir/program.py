"""A program on its way through the passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import fx

from .calibration import Calibration
from .denoising import DenoisingLoop
from .errors import DgqcError
from .level import Level
from .picture import PictureFacts
from .plans import Plan, ratios
from .sampler import StepFactors
from .schedule import Schedule
from .tokenizer import Tokenizer

IDS = "input_ids"
"""The input of a text encoder: whole numbers, of which int16 holds the low 16 bits."""
SEEN = frozenset({"sample", IDS})
"""Inputs that a program is there to answer, unlike timestep and conditions."""


@dataclass(frozen=True)
class Input:
    """One input of the graph, for one sample.

    name: the placeholder's name in the graph.
    shape: with a leading 1 for the sample.
    scale: integer level only: float64 (T,), the real value of one int16 step at each call of the schedule.
    exponent: int64, broadcasts to the shape; a step is 2^(exponent / 4) times the scale. None where all have
        the scale itself.
    """

    name: str
    shape: tuple[int, ...]
    scale: torch.Tensor | None = None
    exponent: torch.Tensor | None = None

    def steps(self, call: int) -> torch.Tensor:
        """The real values of int16 steps at a call of the schedule, float64, broadcasts to the shape.

        Raises DgqcError where there is no scale.
        """
        if self.scale is None:
            raise DgqcError(f"Input {self.name} has no scale; the program is not at the integer level.")
        scale = self.scale[call].to(torch.float64)
        return scale if self.exponent is None else scale * ratios(self.exponent)


@dataclass(frozen=True)
class Program:
    """A graph with what is known about it. Passes take one and return another; nothing is changed in place
    that an earlier holder could see, apart from the graph itself, which a pass owns while it runs.

    graph: runs at every level. Its placeholders are those of `inputs` and, once the timestep is folded
        into tables, `step` (an int64 scalar, the call's index in the schedule); before that, `timestep` (a
        float scalar tensor of shape (1,)).
    level: what may stand in the graph.
    inputs: the tensor inputs, in placeholder order, without `timestep`/`step`.
    schedule: the calls it is compiled for.
    facts: names of what earlier passes have established ("observed-ranges").
    plans: one per `dgqc::site`, by the site's name.
    calibration: samples for passes that observe; None where there are none.
    prologue: a float graph from the model's own inputs to this graph's inputs, for what has no integer
        form and does not depend on the sample (sinusoids of SDXL's time ids, class embeddings); None when
        the two are the same.
    output_scale: integer level only: float64 (T,), the real value of one int16 output step.
    loop: integer level only: how a sampler calls the program to draw a whole picture; None where unasked.
    step_factors: what a loop's coefficients will be multiplied by; None where they stay, and once its tables
        hold them.
    tokenizer: of a text encoder, from prompts to its ids; None for others, and where none has tables.
    picture: of a pipeline's UNet with a loop, how whole pictures are drawn with it; None where nobody knows.
    report: what passes want a user to know: JSON values by pass name.
    batched: False when the graph mixes samples of a batch, so that it must be run sample by sample.
    layout: integer level only: what a backend decided about where and in which order the program runs; opaque
        here, a frozen dataclass of that backend (see `ir/storage/encoding.py` and `ir/printer.py`).
    sizes: integer level only: the same model at other sizes of its sample, by their names (`64x96`);
        constants that are the same are one tensor.
    """

    graph: fx.GraphModule
    level: Level
    inputs: tuple[Input, ...]
    schedule: Schedule
    facts: frozenset[str] = frozenset()
    plans: Mapping[str, Plan] = field(default_factory=dict)
    calibration: Calibration | None = None
    prologue: fx.GraphModule | None = None
    output_scale: torch.Tensor | None = None
    loop: DenoisingLoop | None = None
    step_factors: StepFactors | None = None
    tokenizer: Tokenizer | None = None
    picture: PictureFacts | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    batched: bool = True
    layout: object | None = None
    sizes: Mapping[str, Program] = field(default_factory=dict)

    def with_report(self, name: str, entry: Any) -> Program:
        """The same program with one more report entry."""
        return replace(self, report={**self.report, name: entry})
