"""`uniform-quant` decides about attention probabilities and about nothing else."""

from __future__ import annotations

import pytest
import torch
from planned import one_site, program_with

from dgqc.ir.plans import Activation16, Coding, Granularity, ObservedProbabilities, QuantizedProbabilities
from dgqc.passes.activations.uniform_quant import Scale, UniformQuant

SEEN = ObservedProbabilities(6, torch.tensor([0.5, 0.0]))


@pytest.mark.parametrize("scale", [Scale.ROW, Scale.TENSOR])
def test_a_scale_at_run_time(scale: Scale) -> None:
    found = one_site(UniformQuant(scale).run(program_with(SEEN, calls=2)))
    assert found == QuantizedProbabilities(6, Coding.UNIFORM, Granularity(scale.value), None)


def test_a_static_step_reaches_the_largest_probability_seen() -> None:
    found = one_site(UniformQuant(Scale.STATIC).run(program_with(SEEN, calls=2)))
    assert isinstance(found, QuantizedProbabilities)
    assert (found.bits, found.coding, found.granularity) == (6, Coding.UNIFORM, None)
    assert found.scale is not None
    assert float(found.scale[0] * 63) == pytest.approx(0.5)
    assert float(found.scale[1]) > 0, "a call without any still has a step"


def test_other_sites_stay_undecided() -> None:
    program = UniformQuant().run(program_with(Activation16(), calls=1))
    assert one_site(program) == Activation16()
    assert program.report["uniform-quant"]["attentions"] == 0
