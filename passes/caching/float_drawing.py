"""Pictures that the float network draws, beside which others are held."""

from __future__ import annotations

import torch

from ...ir.calibration import Inputs
from ...ir.program import Program
from ...ir.sampler import Sampler, Walk
from ..correction.pictures import SAMPLE, Network, answered, guided


class FloatDrawing:
    """One drawing, whose rows are the halves of a guided one."""

    def __init__(
        self, program: Program, inputs: Inputs, sampler: Sampler, guidance: float, seed: int
    ) -> None:
        self.program, self.inputs, self.sampler = program, inputs, sampler
        self._guidance = guidance
        first = inputs[SAMPLE][:1] / sampler.inputs[0]
        self.start = Walk(sampler, first)
        generator = torch.Generator().manual_seed(seed)
        self.noises = [torch.randn(first.shape, generator=generator) for _ in range(len(sampler))]
        self._rows = (tuple(range(len(inputs[SAMPLE]))),)

    def follow(self, walk: Walk, step: int, network: Network) -> None:
        """Goes on by a call."""
        walk.follow(self.answer(walk, step, network), self.noises[step])

    def answer(self, walk: Walk, step: int, network: Network) -> torch.Tensor:
        """What the scheduler is told at a call."""
        sample = (walk.state * self.sampler.inputs[step]).expand_as(self.inputs[SAMPLE])
        answer = answered(self.program, network, self.inputs, sample, step)
        return guided(answer, self._rows, self._guidance)
