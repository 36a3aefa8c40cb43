"""SiLU and GELU as lowering emits them, against float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.passes.lowering.activation import lower_activation
from dgqc.passes.lowering.values import Scaled

from .eager import EagerBuilder
from .numbers import SEEDS, integers

aten = torch.ops.aten
GATE_ERROR = 3.5e-5
"""Of the gate itself: parabolas 1.1e-5, value and rise 2^-17 each, slope 2^-20, place 2^-17."""


def gate(x: torch.Tensor, op: str, scale: float, output_scale: float) -> torch.Tensor:
    builder = EagerBuilder()
    source = builder.scaled_input(x, scale)
    target = aten.silu.default if op == "silu" else aten.gelu.default
    node = builder.op(target, (source,), tuple(x.shape), output_scale)
    if op == "gelu-tanh":
        node.kwargs = {"approximate": "tanh"}
    value = lower_activation(builder, node)  # type: ignore[arg-type]
    assert isinstance(value, Scaled)
    assert isinstance(value.node, torch.Tensor)
    return value.node


def real(x: torch.Tensor, op: str) -> torch.Tensor:
    if op == "silu":
        return torch.nn.functional.silu(x)
    return torch.nn.functional.gelu(x, approximate="tanh" if op == "gelu-tanh" else "none")


@pytest.mark.parametrize("op", ["silu", "gelu", "gelu-tanh"])
@given(seed=SEEDS, largest=st.floats(0.01, 200), headroom=st.floats(1, 8))
def test_a_gate_is_real_within_the_tables_error(op: str, seed: int, largest: float, headroom: float) -> None:
    x = integers(seed, -32768, 32767, 400, dtype=torch.int16)
    scale = largest / 32767
    wanted = real(x.double() * scale, op)
    output_scale = float(wanted.abs().max()) * headroom / 32767
    y = gate(x, op, scale, output_scale)
    assert y.dtype is torch.int16
    # The input times the gate's error, in output steps, and one rounding.
    allowed = 0.5 + x.double().abs() * scale * GATE_ERROR / output_scale + 1e-3
    assert bool(((y.double() - wanted / output_scale).abs() <= allowed).all())


@pytest.mark.parametrize("op", ["silu", "gelu", "gelu-tanh"])
@pytest.mark.parametrize("largest", [4.0, 16.0, 60.0])
def test_over_all_inputs_a_gate_stays_within_a_step_and_a_half(op: str, largest: float) -> None:
    x = torch.arange(-32768, 32768).to(torch.int16)
    scale = largest / 32767
    error = (gate(x, op, scale, scale).double() - real(x.double() * scale, op) / scale).abs()
    assert float(error.max()) < 1.5
    assert float(error.square().mean().sqrt()) < 0.35, "0.289 is that of rounding alone"


@pytest.mark.parametrize("op", ["silu", "gelu", "gelu-tanh"])
def test_beyond_the_table_a_gate_is_shut_or_open(op: str) -> None:
    x = torch.tensor([-32768, -20000, 0, 20000, 32767], dtype=torch.int16)
    assert gate(x, op, 0.01, 0.01).tolist() == [0, 0, 0, 20000, 32767]
