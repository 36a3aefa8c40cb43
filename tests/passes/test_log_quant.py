"""`log-quant` decides about attention probabilities and about nothing else."""

from __future__ import annotations

import pytest
import torch
from planned import one_site, program_with

from dgqc.ir.plans import (
    Activation16,
    Coding,
    Granularity,
    ObservedProbabilities,
    Probabilities,
    QuantizedProbabilities,
)
from dgqc.passes.activations.log_quant import LogQuant


@pytest.mark.parametrize("plan", [Probabilities(6), ObservedProbabilities(6, torch.tensor([0.5, 0.0]))])
@pytest.mark.parametrize("scale", list(Granularity))
def test_bits_are_kept_and_the_scale_is_taken_at_run_time(
    plan: Probabilities | ObservedProbabilities, scale: Granularity
) -> None:
    program = LogQuant(scale).run(program_with(plan, calls=2))
    assert one_site(program) == QuantizedProbabilities(6, Coding.LOG2, scale, None)
    assert program.report["log-quant"] == {"attentions": 1, "scale": scale.value}


def test_other_sites_stay_undecided() -> None:
    program = LogQuant().run(program_with(Activation16(), calls=1))
    assert one_site(program) == Activation16()
    assert program.report["log-quant"]["attentions"] == 0
