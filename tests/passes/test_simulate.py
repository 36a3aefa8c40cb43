"""`simulate` says in floating point what the plans say, and nothing more."""

from __future__ import annotations

import pytest
import torch
from programs import apply, calls, captured, decibels, planned, run_float, samples

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Dimension, QuantizedOperand, Role, Weight
from dgqc.ir.verify.verifier import verify
from dgqc.passes.graph.edit import constant

aten, dgqc = torch.ops.aten, torch.ops.dgqc
NAME = "only_cross_attention"


def test_every_site_becomes_its_formula() -> None:
    decided = planned(NAME, 6, 4, "tensor")
    simulated = apply(decided, "simulate")
    verify(simulated)
    assert not calls(simulated, dgqc.site.default)
    assert simulated.plans == {}
    operands = [plan for plan in decided.plans.values() if isinstance(plan, QuantizedOperand)]
    pixels = [p for p in operands if p.operand.role is Role.CONVOLUTION and p.dimension is Dimension.PIXEL]
    assert len(calls(simulated, dgqc.fake_quantize.default)) == len(operands) - len(pixels)
    assert len(calls(simulated, dgqc.conv2d_pixel_simulated.default)) >= len(pixels)
    assert len(calls(simulated, dgqc.fake_quantize_log2.default)) == len(calls(decided, aten.softmax.int))


def test_weights_become_what_their_codes_stand_for() -> None:
    decided = planned(NAME, 6, 4, "tensor")
    simulated = apply(decided, "simulate")
    products = zip(*(calls(p, aten.linear.default) for p in (decided, simulated)), strict=True)
    for before, after in products:
        plan = decided.plans[str(before.args[1].target)]  # type: ignore[union-attr]
        assert isinstance(plan, Weight)
        expected = (plan.codes.double() * plan.scale[:, None]).float()
        assert torch.equal(constant(simulated.graph, after.args[1]), expected)  # type: ignore[arg-type]


def test_more_bits_are_closer_to_the_float_model() -> None:
    inputs = samples(NAME, 1)
    reference = run_float(captured(NAME), inputs, 1)
    found = [
        decibels(reference, run_float(apply(planned(NAME, *widths), "simulate"), inputs, 1))
        for widths in ((6, 4, "tensor"), (8, 8, "row"))
    ]
    assert 5 < found[0] < found[1] - 2


def test_an_operand_without_tables_is_refused_by_name() -> None:
    program = apply(captured("class_conditional"), "fold-time-embedding,split-prologue,insert-sites")
    with pytest.raises(DgqcError, match=r"Site .*\.input in .* is not decided on yet"):
        apply(program, "simulate")
