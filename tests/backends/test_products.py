"""Matmul and attend, and sums of any size: C and reference agree in every bit, whatever the constants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.backends.c.kernels.product_sums import GeneralSums, arithmetic
from dgqc.ir.arithmetic.operands import ensure_shapes

from .cases import CASES
from .cases.case import operand
from .integer_graph import IntegerGraph
from .kernels import Builds, check

dgqc = torch.ops.dgqc
seeds = st.integers(0, 2**31)
many = settings(max_examples=40, deadline=None)


sizes = st.integers(1, 40)
bit_widths = st.sampled_from([2, 4, 6, 8, 16])
MATMUL = {
    "heads": st.integers(1, 3),
    "rows": sizes,
    "depth": sizes,
    "columns": st.integers(1, 9),
    "a_by_row": st.booleans(),
    "b_by_row": st.booleans(),
    "a_bits": bit_widths,
    "b_bits": bit_widths,
    "groups": st.integers(1, 4),
    "width": st.sampled_from([16, 32]),
    "shared": st.booleans(),
}
ATTEND = {
    "heads": st.integers(1, 3),
    "rows": sizes,
    "keys": sizes,
    "columns": st.integers(1, 9),
    "by_token": st.booleans(),
    "bits": st.sampled_from([2, 6, 8, 16]),
    "groups": st.integers(1, 4),
    "start": st.booleans(),
    "code_bits": st.sampled_from([1, 3, 4, 6]),
    "uniform": st.booleans(),
    "shared": st.just(False),
}


@many
@given(seeds, st.fixed_dictionaries(MATMUL))
def test_matmul(kernels: Builds, seed: int, choice: dict[str, Any]) -> None:
    check(kernels, *CASES["matmul"].program(seed, **choice))


@many
@given(seeds, st.fixed_dictionaries(ATTEND))
def test_attend(kernels: Builds, seed: int, choice: dict[str, Any]) -> None:
    """With and without the start token, whole shares and ones of 15 to 23 fraction bits."""
    check(kernels, *CASES["attend"].program(seed, **choice))


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
    codes, *tables = operand(graph, x, depth, 2, 16, 1)
    program = graph.finish(graph.call(dgqc.linear.default, codes, graph.step, *tables, weight, *epilogue))
    check(kernels, program, {"x": torch.full((1, 5, depth), end, dtype=torch.int16)})


@pytest.mark.parametrize("depth", [1, 3, 40])
def test_16_bit_products_of_both_sides(kernels: Builds, depth: int) -> None:
    """(-2^15) * (-2^15) is 2^30: two of them already fill int32."""
    graph = IntegerGraph()
    a, b = graph.take(a=(1, 5, depth), b=(1, 6, depth))
    left, *left_tables = operand(graph, a, depth, 2, 16, 1)
    right, *right_tables = operand(graph, b, depth, 2, 16, 1)
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
        codes, zero, _, *rest = operand(graph, x, shape[2], 2, bits, 1)
        tables = (zero, graph.table(multiple, multiple, graph.steps, 1), *rest)
        weight = graph.constant(torch.full((3, 600), 2 ** (weight_bits - 1) - 1, dtype=torch.int8))
        y = graph.call(dgqc.linear.default, codes, graph.step, *tables, weight, *graph.epilogue(3))
        y.meta["wanted"] = True
    program = graph.finish(y)
    ensure_shapes(program)
    kept = [arithmetic(node) for node in program.graph.graph.nodes if node.meta.get("wanted")]
    assert kept[0] == GeneralSums(True, 600)
    assert kept[1] == GeneralSums(True, (2**31 - 1) // (32768 * 127), plain=True)
    assert not kept[2].narrow
