"""`dynamic-rows`: the same function in float, ranges that fit tokens of any size, only where that helps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from few_layers import PLANNING, after, few_layers, output_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Operand, Role
from dgqc.passes.activations.dynamic_rows import unseen_noise
from dgqc.passes.manager.failures import snapshot
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.simulation.simulate import Simulate
from dgqc.report.quality import decibels

ALL = "dynamic-rows{gain=-99,groups=1}"
"""Every layer of tokens."""


def test_the_float_graph_computes_what_it_did() -> None:
    found = after(ALL)
    assert len(found.report["dynamic-rows"]["dynamic"]) == 2
    wanted = output_of(few_layers())
    torch.testing.assert_close(output_of(found), wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(2, 50))
def test_louder_tokens_than_were_seen_are_rounded_as_the_others(seed: int, loud: float) -> None:
    """By their own size the error beside them stays; in ranges that calibration saw they are clipped."""
    generator = torch.Generator().manual_seed(seed)
    seen, others = torch.randn(2, 100, 16, generator=generator)
    plan, power = Operand(Role.LINEAR, 8, False), torch.ones(16)

    def noise(by_row: bool, factor: float) -> float:
        return unseen_noise([(seen, factor * others)], power, plan, 1, by_row)

    assert noise(True, loud) == pytest.approx(noise(True, 1.0), rel=1e-2)
    assert noise(False, loud) > 4 * noise(True, loud)


def test_a_layer_whose_tokens_are_alike_stays() -> None:
    found = after("dynamic-rows{gain=30}")
    assert found.report["dynamic-rows"] == {"operands": 2, "dynamic": {}}
    assert torch.equal(output_of(found), output_of(few_layers()))


def test_integers_compute_what_is_simulated() -> None:
    """Sizes, products with them and biases among it: what is left is 16-bit rounding."""
    planned = after(f"{ALL},{PLANNING},gptq", frozenset({"probabilities"}))
    simulated = Simulate().run(replace(planned, graph=snapshot(planned)))
    integer = PassManager(parse_pipeline("lower-integer")).run(planned)
    scale, output_scale = integer.inputs[0].scale, integer.output_scale
    assert scale is not None
    assert output_scale is not None
    sample = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(7)).clamp(-2, 2)
    codes = torch.round(sample / scale[0]).to(torch.int16)
    found = integer.graph(codes, torch.tensor(0)) * output_scale[0]
    wanted = fx.Interpreter(simulated.graph).run((codes * scale[0]).float(), torch.tensor(0))
    assert decibels(wanted, found) > 30


def test_refusals() -> None:
    with pytest.raises(DgqcError, match="samples from 2"):
        parse_pipeline("dynamic-rows{samples=1}")
    with pytest.raises(DgqcError, match="put it before observe-ranges"):
        after("quantize-weights{bits=4,edges=4},observe-ranges,dynamic-rows")
    with pytest.raises(DgqcError, match="needs calibration samples"):
        PassManager(parse_pipeline("dynamic-rows")).run(replace(few_layers(), calibration=None))
