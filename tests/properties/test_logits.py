"""Products of two activations as lowering emits them: logits in octaves, and values with a scale."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx

from dgqc.ir.plans import Dimension, QuantizedOperand, Role
from dgqc.ir.plans import Operand as OperandPlan
from dgqc.passes.lowering.layout import Layout
from dgqc.passes.lowering.products import lower_matmul
from dgqc.passes.lowering.values import Logits, OperandCodes, Scaled

from .eager import EagerBuilder
from .numbers import SEEDS
from .products import Operand, operand

aten = torch.ops.aten
AXES = st.sampled_from([1, 2])


def quantized(builder: EagerBuilder, value: Operand, role: Role, base: float) -> fx.Node:
    plan = QuantizedOperand(
        OperandPlan(role, 8, False),
        Dimension.CHANNEL,
        value.group.to(torch.int64),
        torch.tensor([base], dtype=torch.float64),
        value.multiple.to(torch.int64),
        value.zero.to(torch.int64),
    )
    codes = OperandCodes(value.codes, Layout.plain(value.codes.shape), plan, *value.tables)  # type: ignore[arg-type]
    return builder.input(codes, *value.codes.shape)


def product(a: Operand, b: Operand) -> torch.Tensor:
    return torch.tensor(a.values.tolist()).double() @ torch.tensor(b.values.tolist()).double()


@given(SEEDS, AXES, AXES, st.floats(1e-6, 1e-3), st.floats(0.05, 1))
def test_logits_are_the_scaled_product_in_2_to_the_minus_16_octaves(
    seed: int, left: int, right: int, base: float, factor: float
) -> None:
    """Whatever numbers stand between the product and its softmax: 1 / sqrt(d), one or several."""
    builder = EagerBuilder()
    a, b = operand(seed, left, 1, 4, 8), operand(seed + 9, right, 1, 8, 5)
    sides = (quantized(builder, a, Role.LEFT, base), quantized(builder, b, Role.RIGHT, 0.002))
    node = builder.op(aten.matmul.default, sides, (1, 4, 5))
    scaled = builder.op(aten.mul.Tensor, (node, factor), (1, 4, 5))
    twice = builder.op(aten.mul.Tensor, (scaled, 0.5), (1, 4, 5))
    builder.op(aten.softmax.int, (twice, -1), (1, 4, 5))
    logits = lower_matmul(builder, node)  # type: ignore[arg-type]
    assert isinstance(logits, Logits)
    assert isinstance(logits.node, torch.Tensor)
    real = product(a, b) * base * 0.002 * factor * 0.5 * math.log2(math.e) * 65536
    inside = real.abs() < 2**31 - 1
    error = (logits.node.double() - real).abs()
    assert bool((error <= 0.5 + real.abs() * 2.0**-24)[inside].all())
    assert logits.node.dtype is torch.int32


@given(SEEDS, AXES, AXES)
def test_any_other_product_has_the_scale_of_its_site(seed: int, left: int, right: int) -> None:
    builder = EagerBuilder()
    a, b = operand(seed, left, 1, 4, 8), operand(seed + 9, right, 1, 8, 5)
    real = product(a, b) * 0.001 * 0.002
    scale = float(real.abs().max()) * 2 / 32767
    sides = (quantized(builder, a, Role.LEFT, 0.001), quantized(builder, b, Role.RIGHT, 0.002))
    node = builder.op(aten.matmul.default, sides, (1, 4, 5), scale)
    value = lower_matmul(builder, node)  # type: ignore[arg-type]
    assert isinstance(value, Scaled)
    assert isinstance(value.node, torch.Tensor)
    assert float((value.node.double() - real / scale).abs().max()) <= 0.501


@given(SEEDS, st.integers(-40, 10))
def test_a_factor_fits_int32_with_a_rows_multiple_where_sums_have_room(seed: int, octave: int) -> None:
    builder = EagerBuilder()
    tables: dict[str, torch.Tensor] = {}
    builder.table = lambda name, value: tables.setdefault(name.split(".")[-1], value).to(torch.int32)  # type: ignore[method-assign]
    a, b = operand(seed, 1, 1, 4, 8), operand(seed + 9, 2, 1, 8, 5)
    sides = (quantized(builder, a, Role.LEFT, 2.0**octave), quantized(builder, b, Role.RIGHT, 0.002))
    node = builder.op(aten.matmul.default, sides, (1, 4, 5))
    builder.op(aten.softmax.int, (node, -1), (1, 4, 5))
    lower_matmul(builder, node)  # type: ignore[arg-type]
    whole, shift = int(a.multiple.max()) * int(tables["factor"].max()), int(tables["shift"].min())
    assert int(tables["factor"].min()) >= 2**23
    # What is too long had no room for the left shift that a factor short enough would have asked for.
    ends = (0, 255)
    rows = max(int((end - a.zero).abs().max()) for end in ends)
    columns = max(int((b.multiple * (end - b.zero)).abs().max()) for end in ends)
    shorter = shift - (whole >> 31).bit_length()
    assert whole < 2**31 or 8 * rows * columns << max(0, 32 - shorter) >= 2**30
