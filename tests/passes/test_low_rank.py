"""`low-rank`: the same function in float, branches where they gain most, never more of them than allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from few_layers import PLANNING, after, few_layers, output_of

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Operand, Weight
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline
from dgqc.passes.widths import low_rank
from dgqc.passes.widths.measured import decibels, outputs_of, samples_of

PROBABILITIES = frozenset({"probabilities"})
"""Which the small program has none of."""


def test_the_float_graph_computes_what_it_did() -> None:
    found = after("low-rank{rank=2,share=400}")
    assert set(found.report["low-rank"]["ranks"]) == {"block.one", "block.other", "block.last", "block.conv"}
    wanted = output_of(few_layers())
    torch.testing.assert_close(output_of(found), wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


def test_layers_of_one_value_share_the_narrow_one() -> None:
    graph = after("low-rank{rank=2,share=400}").graph.graph
    narrow = [node for node in graph.nodes if node.name.endswith("_narrow")]
    wide = [node for node in graph.nodes if node.name.endswith("_wide")]
    assert [node.name for node in narrow] == ["conv_narrow", "one_narrow", "last_narrow"]
    assert len(wide) == 4


def test_branches_read_16_bits_and_have_bytes() -> None:
    found = after("low-rank{rank=2,share=400}")
    for node in found.graph.graph.nodes:
        if node.name.endswith(("_narrow", "_wide")):
            plan = found.plans[str(node.args[1].target)]
            assert isinstance(plan, Weight)
            assert plan.bits == 8
            assert not isinstance(found.plans.get(str(node.args[0].args[1])), Operand)


def test_what_is_left_has_the_smaller_singular_values() -> None:
    """Of a layer alone whose channels reach equally far, up to what their ranges differ by."""
    before, found = few_layers(), after("low-rank{rank=2,share=400}")
    values = torch.linalg.svdvals(before.graph.last_weight)
    left = torch.linalg.svdvals(found.graph.last_weight_residue)
    assert float(left[0]) < 0.2 * float(values[0])
    assert float(left.square().sum()) >= float(values[2:].square().sum()) * (1 - 1e-4)


@pytest.mark.parametrize("share", [0.5, 5.0, 30.0, 400.0])
def test_no_more_than_the_share_is_added(share: float) -> None:
    report = after(f"low-rank{{rank=2,share={share}}}").report["low-rank"]
    assert report["percent"] <= share
    assert bool(report["ranks"]) == (share > 1)


def test_the_output_gains() -> None:
    plain = after(PLANNING, PROBABILITIES)
    branched = after(f"low-rank{{rank=2,share=400}},{PLANNING}", PROBABILITIES)
    samples = samples_of(plain, [0, 1])
    wanted = outputs_of(plain, samples)
    one, other = (min(decibels(program, samples, wanted).values()) for program in (plain, branched))
    assert other > one + 3


def test_a_larger_network_is_refused_or_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(low_rank, "weight_count", lambda graph: 860_000_000)
    with pytest.raises(DgqcError, match="gradients of 860 million weights, and is allowed 100"):
        after("low-rank")
    before, found = few_layers(), after("low-rank{large=leave}")
    assert "leaves a network of 860 million weights without branches" in caplog.text
    assert found.report["low-rank"] == {"left": 860}
    assert len(found.graph.graph.nodes) == len(after("").graph.graph.nodes)
    torch.testing.assert_close(output_of(found), output_of(before), rtol=0, atol=0)


def test_refusals() -> None:
    with pytest.raises(DgqcError, match="put it before quantize-weights"):
        after("quantize-weights{bits=4},low-rank")
    with pytest.raises(DgqcError, match="from 1 on"):
        PassManager(parse_pipeline("low-rank{rank=0}"))
    with pytest.raises(DgqcError, match="needs calibration samples"):
        PassManager(parse_pipeline("low-rank")).run(replace(few_layers(), calibration=None))
