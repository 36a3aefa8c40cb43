"""Matmul and attend, and sums of any size: C and reference agree in every bit, whatever the constants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.operands import ensure_shapes
from dgqc.ir.product_sums import Arithmetic, arithmetic

from .integer_graph import IntegerGraph
from .kernels import Builds, check

dgqc = torch.ops.dgqc
seeds = st.integers(0, 2**31)
many = settings(max_examples=40, deadline=None)


def wide(graph: IntegerGraph, x: Any, size: int, axis: int) -> tuple[Any, ...]:
    """An int16 value used as codes as it is."""
    zero = graph.constant(torch.zeros(graph.steps, 1, dtype=torch.int32))
    one = graph.constant(torch.ones(graph.steps, 1, dtype=torch.int32))
    return x, zero, one, graph.constant(torch.zeros(size, dtype=torch.uint8)), axis


def operand(graph: IntegerGraph, x: Any, shape: tuple[int, ...], axis: int, bits: int, groups: int) -> Any:
    """Codes of `bits` bits with random groups along `axis`; 16 bits are used as they are."""
    if bits == 16:
        return wide(graph, x, shape[axis], axis)
    return graph.quantized(x, shape[axis], axis, bits, groups)


sizes = st.integers(1, 40)
bit_widths = st.sampled_from([2, 4, 6, 8, 16])


@many
@given(
    seeds,
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    bit_widths,
    bit_widths,
    st.integers(1, 4),
    st.sampled_from([16, 32]),
    st.booleans(),
)
def test_matmul(
    kernels: Builds,
    seed: int,
    heads: int,
    rows: int,
    depth: int,
    columns: int,
    a_other: bool,
    b_other: bool,
    a_bits: int,
    b_bits: int,
    groups: int,
    width: int,
    shared: bool,
) -> None:
    graph = IntegerGraph(seed=seed)
    a_shape, b_shape = (1, heads, rows, depth), (1, 1 if shared else heads, columns, depth)
    a, b = graph.take(a=a_shape, b=b_shape)
    left, *left_tables = operand(graph, a, a_shape, 2 if a_other else 3, a_bits, groups)
    right, *right_tables = operand(graph, b, b_shape, 2 if b_other else 3, b_bits, groups)
    scale = (graph.table(2**20, 2**24, graph.steps), graph.table(18, 40, graph.steps), width)
    y = graph.call(dgqc.matmul.default, left, right, graph.step, *left_tables, *right_tables, *scale)
    check(kernels, graph.finish(y), {"a": graph.values(*a_shape), "b": graph.values(*b_shape)})


@many
@given(
    seeds,
    st.integers(1, 3),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([2, 6, 8, 16]),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([1, 3, 4, 6]),
    st.booleans(),
)
def test_attend(
    kernels: Builds,
    seed: int,
    heads: int,
    rows: int,
    keys: int,
    columns: int,
    by_token: bool,
    bits: int,
    groups: int,
    start: bool,
    code_bits: int,
    uniform: bool,
) -> None:
    """With and without the start token, whole shares and ones of 15 to 23 fraction bits."""
    graph = IntegerGraph(seed=seed)
    tokens = keys + int(start)
    shape = (1, heads, tokens, columns)
    (x,) = graph.take(x=shape)
    values, *tables = operand(graph, x, shape, 2 if by_token else 3, bits, groups)
    if uniform:
        shares, fraction = list(range(2**code_bits)), 0
    else:
        fraction = min(max(2**code_bits - 1, 15), 23)
        shares = [2**fraction >> code for code in range(min(2**code_bits, 32))]
    codes = graph.table(0, len(shares) - 1, 1, heads, rows, keys, dtype=torch.uint8)
    rows_of = (1, heads, rows, 1)
    scale = (graph.table(2**14, 2**15, *rows_of), graph.table(1, 20, *rows_of))
    first = graph.table(0, 2**15, *rows_of)
    weights = graph.constant(torch.tensor(shares, dtype=torch.int32))
    factors = (graph.table(2**14, 2**18, graph.steps), graph.table(18, 40, graph.steps))
    args = (codes, *scale, first, start, weights, fraction, values, graph.step, *tables, *factors)
    y = graph.call(dgqc.attend.default, *args)
    check(kernels, graph.finish(y), {"x": graph.values(*shape)})


@pytest.mark.parametrize("depth", [600, 1201])
@pytest.mark.parametrize("end", [-32768, 32767])
@pytest.mark.parametrize("code", [-128, 127])
def test_sums_beyond_int32(kernels: Builds, depth: int, end: int, code: int) -> None:
    """Every product at its end: 16-bit values times 8-bit weights pass int32 after 512 of them."""
    graph = IntegerGraph()
    (x,) = graph.take(x=(1, 5, depth))
    weight = graph.constant(torch.full((3, depth), code, dtype=torch.int8))
    constants = [graph.table(*ends, 3) for ends in ((2**30, 2**30), (0, 0))]
    scalars = [graph.table(*ends, graph.steps) for ends in ((2**25, 2**25), (42, 42), (1, 1), (1, 1))]
    epilogue = (constants[0], *scalars[:2], constants[1], *scalars[2:])
    codes, *tables = wide(graph, x, depth, 2)
    program = graph.finish(graph.call(dgqc.linear.default, codes, graph.step, *tables, weight, *epilogue))
    check(kernels, program, {"x": torch.full((1, 5, depth), end, dtype=torch.int16)})


@pytest.mark.parametrize("depth", [1, 3, 40])
def test_16_bit_products_of_both_sides(kernels: Builds, depth: int) -> None:
    """(-2^15) * (-2^15) is 2^30: two of them already fill int32."""
    graph = IntegerGraph()
    a, b = graph.take(a=(1, 5, depth), b=(1, 6, depth))
    left, *left_tables = wide(graph, a, depth, 2)
    right, *right_tables = wide(graph, b, depth, 2)
    scale = (graph.table(2**20, 2**20, graph.steps), graph.table(41, 41, graph.steps), 16)
    y = graph.call(dgqc.matmul.default, left, right, graph.step, *left_tables, *right_tables, *scale)
    low = {"a": torch.full((1, 5, depth), -32768), "b": torch.full((1, 6, depth), -32768)}
    check(kernels, graph.finish(y), {name: tensor.to(torch.int16) for name, tensor in low.items()})


def test_both_ways_to_carry_sums_occur() -> None:
    """The property tests above reach the narrow kernel whole, in blocks, and the general one."""
    graph = IntegerGraph()
    shape = (1, 4, 600)
    (x,) = graph.take(x=shape)
    for bits, weight_bits, multiple in ((6, 4, 1), (16, 8, 1), (8, 8, 9999)):
        codes, zero, _, *rest = operand(graph, x, shape, 2, bits, 1)
        tables = (zero, graph.table(multiple, multiple, graph.steps, 1), *rest)
        weight = graph.constant(torch.full((3, 600), 2 ** (weight_bits - 1) - 1, dtype=torch.int8))
        y = graph.call(dgqc.linear.default, codes, graph.step, *tables, weight, *graph.epilogue(3))
        y.meta["wanted"] = True
    program = graph.finish(y)
    ensure_shapes(program)
    kept = [arithmetic(node) for node in program.graph.graph.nodes if node.meta.get("wanted")]
    assert kept[0] == Arithmetic(True, 600)
    assert kept[1] == Arithmetic(True, (2**31 - 1) // (32768 * 127))
    assert not kept[2].narrow
