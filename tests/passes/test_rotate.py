"""`rotate`: the same function in float, exact signs, and only where rounding gets quieter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from few_layers import PLANNING, after, few_layers, output_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Operand, Role, Weight
from dgqc.passes.activations.rotate import hadamard, rounding_noise
from dgqc.passes.graph.edit import constant
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline

ALL = "rotate{size=4,groups=1,gain=-99}"
"""Every layer."""


@pytest.mark.parametrize("size", [4, 16, 64, 256])
def test_the_matrix_is_regular_and_its_own_inverse(size: int) -> None:
    matrix = hadamard(size)
    assert torch.equal(matrix @ matrix, torch.eye(size, dtype=torch.float64))
    assert torch.equal(matrix, matrix.T)
    assert set((matrix * size**0.5).unique().tolist()) == {-1.0, 1.0}
    assert len(matrix.sum(dim=1).unique()) == 1


def test_the_float_graph_computes_what_it_did() -> None:
    found = after(ALL)
    assert len(found.report["rotate"]["turned"]) == 4
    wanted = output_of(few_layers())
    torch.testing.assert_close(output_of(found), wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


def test_turns_read_16_bits_and_stay_exact() -> None:
    """Nothing that rounds weights may move what is exact."""
    found = after(f"{ALL},{PLANNING},gptq", frozenset({"probabilities"}))
    turns = [node for node in found.graph.graph.nodes if node.name.endswith("_site_turn")]
    assert len(turns) == 4
    for node in turns:
        plan = found.plans[str(node.args[1].target)]
        assert isinstance(plan, Weight)
        real = constant(found.graph, node.args[1])
        assert torch.equal((plan.codes * plan.scale[:, None]).float(), real)
        assert set(plan.codes.unique().tolist()) == {-1, 1}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 15))
def test_a_channel_that_reaches_far_is_quieter_turned(seed: int, channel: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(200, 16, generator=generator)
    rows[:, channel] *= 30
    weight = torch.randn(8, 16, generator=generator)
    plan, turn = Operand(Role.LINEAR, 4, False), hadamard(16).float()
    plain = rounding_noise([rows], weight, plan, 1)
    assert rounding_noise([rows @ turn], weight @ turn, plan, 1) < plain


def test_layers_that_gain_little_stay() -> None:
    found = after("rotate{size=4,groups=8,gain=6}")
    assert found.report["rotate"] == {"operands": 4, "turned": {}, "percent": 0.0}
    assert torch.equal(output_of(found), output_of(few_layers()))


def test_refusals() -> None:
    with pytest.raises(DgqcError, match="4, 16, 64 or 256 channels, not 8"):
        parse_pipeline("rotate{size=8}")
    with pytest.raises(DgqcError, match="put it before quantize-weights"):
        after("quantize-weights{bits=4},rotate")
    with pytest.raises(DgqcError, match="needs calibration samples"):
        PassManager(parse_pipeline("rotate")).run(replace(few_layers(), calibration=None))
