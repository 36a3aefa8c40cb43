"""Functions of one value as lowering emits them, against float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dgqc.ir.arithmetic.pieces import PIECES, parabolas, piece_and_place
from dgqc.ir.ops.function import piecewise
from dgqc.passes.lowering.functions import lower_function, without_clamp
from dgqc.passes.lowering.gates import gate_of

from .eager import EagerBuilder, found
from .numbers import STEP, integers

Real = Callable[[torch.Tensor], torch.Tensor]
ALL = torch.arange(-32768, 32768).to(torch.int16)
SMOOTH: dict[str, Real] = {
    "mish(x)": F.mish,
    "sigmoid(x)": torch.sigmoid,
    "tanh(x)": torch.tanh,
    "softplus(x)": F.softplus,
    "elu(x)": F.elu,
}
GATES: dict[str, Real] = {
    "relu(x)": F.relu,
    "leaky_relu(x, 0.2)": lambda x: F.leaky_relu(x, 0.2),
    "hardswish(x)": F.hardswish,
    "mul(x, sigmoid(mul(x, 1.702)))": lambda x: x * torch.sigmoid(1.702 * x),
}
CORNERED: dict[str, Real] = {
    "relu6(add(x, 3))": lambda x: F.relu6(x + 3),
    "hardsigmoid(x)": F.hardsigmoid,
    "hardtanh(x, -0.5, 2)": lambda x: F.hardtanh(x, -0.5, 2),
    "clamp(x, None, 1.5)": lambda x: x.clamp(max=1.5),
    "abs(x)": torch.abs,
}


def run(text: str, x: torch.Tensor, scale: float, output_scale: float) -> torch.Tensor:
    builder = EagerBuilder()
    source = builder.scaled_input(x, scale)
    node = builder.op(torch.ops.dgqc.function.default, (source, text), tuple(x.shape), output_scale)
    return found(builder, lower_function(builder, node))


def error(text: str, function: Real, largest: float, headroom: float = 1) -> torch.Tensor:
    """Of every 16-bit number, in steps of the result."""
    scale = largest / 32767
    wanted = function(ALL.double() * scale)
    output_scale = float(wanted.abs().max()) * headroom / 32767
    return (run(text, ALL, scale, output_scale).double() - wanted / output_scale).abs()


@pytest.mark.parametrize("text", SMOOTH)
@given(st.floats(0.01, 1e4), st.floats(1, 4))
def test_a_smooth_function_is_real_within_a_step(text: str, largest: float, headroom: float) -> None:
    """Half a step is rounding; the parabolas add at most 0.15, at tanh's bend."""
    assert float(error(text, SMOOTH[text], largest, headroom).max()) < 0.65


@pytest.mark.parametrize("text", CORNERED)
@given(st.floats(0.01, 1e4))
def test_lines_with_corners_are_exact_but_for_rounding(text: str, largest: float) -> None:
    assert float(error(text, CORNERED[text], largest).max()) < 0.51


@pytest.mark.parametrize("text", GATES)
@given(st.floats(0.01, 1e4), st.floats(1, 4))
def test_a_gate_is_real_within_its_tables_error(text: str, largest: float, headroom: float) -> None:
    """As SiLU and GELU are (test_activation.py): the input times what Q16 leaves, and one rounding."""
    assert gate_of(text) is not None
    found_error, function = error(text, GATES[text], largest, headroom), GATES[text]
    output_scale = float(function(ALL.double() * largest / 32767).abs().max()) * headroom / 32767
    allowed = 0.51 + ALL.double().abs() * largest / 32767 * 3.5e-5 / output_scale
    assert bool((found_error <= allowed).all())


@given(st.floats(0.01, 1e4))
def test_relu_is_exact(largest: float) -> None:
    scale = largest / 32767
    assert torch.equal(run("relu(x)", ALL, scale, scale), ALL.clamp(min=0))


def test_what_has_no_gate_says_so() -> None:
    assert [gate_of(text) for text in ("mish(x)", "tanh(x)", "exp(x)", "relu6(x)", "abs(x)")] == [None] * 5
    gate = gate_of("mul(x, relu6(add(x, 3)))")
    assert gate is not None
    assert (round(gate.total, 6), round(gate.end, 3)) == (6.0, 3.0)


@given(st.floats(3.5, 60), st.floats(0.1, 3))
def test_a_corner_inside_a_formula_costs_steps_nearby_only(largest: float, place: float) -> None:
    """Pieces are at most a 16th as wide as where they lie; a slope that jumps by 1 costs an 8th of that."""
    text = f"mul(tanh(x), maximum(x, {place}))"
    found_error = error(text, lambda x: torch.tanh(x) * x.clamp(min=place), largest)
    assert float(found_error.max()) < 1 + 32767 / largest * place / 16 / 8
    assert float((found_error > 0.75).double().mean()) < 0.1


def test_a_clamp_is_recognised_by_any_name() -> None:
    infinity = float("inf")
    assert without_clamp("relu6(tanh(x))") == ("tanh(x)", 0.0, 6.0)
    assert without_clamp("hardtanh(x)") == ("x", -1.0, 1.0)
    assert without_clamp("clamp(x, -2, 3)") == ("x", -2.0, 3.0)
    assert without_clamp("clamp_min(x, 1)") == ("x", 1.0, infinity)
    assert without_clamp("clamp_max(x, 1)") == ("x", -infinity, 1.0)
    assert without_clamp("tanh(x)") == ("tanh(x)", -infinity, infinity)


def test_each_number_lies_in_one_piece_and_pieces_are_in_order() -> None:
    piece, place = piece_and_place(ALL.to(torch.int64))
    assert sorted(set(piece.tolist())) == list(range(PIECES))
    assert int(place.abs().max()) <= 1023
    positive = piece[32768:]
    assert bool((positive[1:] >= positive[:-1]).all())
    assert torch.equal(piece[:32768].flip(0), positive + PIECES // 2)


def test_what_is_no_number_counts_as_at_zero() -> None:
    table = parabolas(torch.sqrt, 1e-3, 1e-3)[None]
    ends = (torch.tensor([-32768]), torch.tensor([32767]))
    assert piecewise(torch.tensor([-32768, -5, 0], dtype=torch.int16), STEP, table, *ends).tolist() == [
        0,
        0,
        0,
    ]


@given(st.integers(0, 2**31 - 1))
def test_no_table_overflows(seed: int) -> None:
    """The largest entries that the verifier lets through, against Python's integers."""
    table = integers(seed, -(2**26), 2**26, 1, PIECES, 3, dtype=torch.int32)
    x = integers(seed + 1, -32768, 32767, 50, dtype=torch.int16)
    y = piecewise(x, STEP, table, torch.tensor([-32768]), torch.tensor([32767]))
    pieces, places = piece_and_place(x.to(torch.int64))
    for piece, t, result in zip(pieces.tolist(), places.tolist(), y.tolist(), strict=True):
        value, slope, curve = table[0, piece].tolist()
        bent = slope + ((curve * t + 512) >> 10)
        exact = (value + ((bent * t + 512) >> 10) + 128) >> 8
        assert result == min(max(exact, -32768), 32767)
