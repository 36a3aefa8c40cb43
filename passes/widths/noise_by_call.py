"""What rounding costs the output at some calls, call by call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ...ir.program import Program
from ...ir.ranks import shared_out
from ..graph.batches import call_bytes
from ..simulation.pass_back import RETAINED
from .forms import Forms
from .measured import Sample
from .sensitivity import noise_of_forms


def noise_by_call(
    program: Program, forms: Sequence[Forms], samples: Mapping[int, Sequence[Sample]], apart: bool = False
) -> Mapping[Forms, torch.Tensor]:
    """What each form adds to the output's error at each call, float64 (forms, calls), mean of the samples.

    apart: as in `noise_of_forms`.
    """

    def of_call(step: int) -> list[torch.Tensor]:
        found = [noise_of_forms(program, forms, real, step, apart) for real in samples[step]]
        return [torch.stack(each).mean(dim=0) for each in zip(*found, strict=True)]

    calls = shared_out(of_call, samples, call_bytes(program, 1) * RETAINED)
    return {one: torch.stack(each, dim=1) for one, each in zip(forms, zip(*calls, strict=True), strict=True)}
