"""Attention at its ends: sums that pass int32, logits at the ends of int32, thousands of keys."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.backends.c.kernels.attend import AttendBytes, attend_bytes
from dgqc.backends.c.kernels.matmul_sums import MatmulSums, matmul_sums
from dgqc.ir.arithmetic.operands import ensure_shapes
from dgqc.ir.program import Program

from .integer_graph import IntegerGraph
from .kernels import Builds, check

dgqc = torch.ops.dgqc
LOG_SHARES = [2**23 >> code for code in range(32)]
WHOLE_SHARES = list(range(256))
ENDS = (-(2**31), 2**31 - 1)


def grouped(graph: IntegerGraph, size: int, zero: int, multiple: int) -> tuple[Any, ...]:
    """zero, multiple and group of codes that all are of one kind."""
    tables = (graph.table(zero, zero, graph.steps, 2), graph.table(multiple, multiple, graph.steps, 2))
    return (*tables, graph.group(size, 2))


def product(
    graph: IntegerGraph, heads: int, rows: int, depth: int, columns: int, ends: tuple[int, ...]
) -> Any:
    """A matmul of 8-bit codes that all are `ends[0]` and `ends[1]`, with zeros of 0 and multiples of 127."""
    codes = (((heads, rows, depth), ends[0]), ((heads, columns, depth), ends[1]))
    left, right = (graph.constant(torch.full(shape, code, dtype=torch.uint8)) for shape, code in codes)
    tables = [grouped(graph, depth, 0, 127) for _ in range(2)]
    scale = (graph.table(2**24, 2**25, graph.steps), graph.table(40, 44, graph.steps), 32)
    return graph.call(dgqc.matmul.default, left, right, graph.step, *tables[0], 2, *tables[1], 2, *scale)


def as_program(graph: IntegerGraph, y: Any) -> tuple[Program, dict[str, torch.Tensor]]:
    return graph.finish(y), {"x": graph.values(1)}


def started(seed: int = 0) -> IntegerGraph:
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    return graph


@pytest.mark.parametrize("depth", [1, 2, 3, 40, 161, 254, 255, 330])
@pytest.mark.parametrize("ends", [(255, 255), (1, 255)])
def test_matmul_sums_beyond_int32(kernels: Builds, depth: int, ends: tuple[int, int]) -> None:
    """Two products of 127 * 255 each already fill half of int32; 161 of them need 38 bits."""
    graph = started()
    y = product(graph, 2, 5, depth, 37, ends)
    check(kernels, *as_program(graph, y))


@pytest.mark.parametrize("depth", [4, 40, 128])
@pytest.mark.parametrize("multiple", [3, 127])
@pytest.mark.parametrize(("ends", "zero"), [((255, 255), 0), ((0, 255), 255), ((0, 0), 255), ((255, 0), 128)])
def test_codes_by_rows_at_their_ends(
    kernels: Builds, depth: int, multiple: int, ends: tuple[int, int], zero: int
) -> None:
    """Groups of rows on both sides: codes, zeros and multiples that make the largest sums."""
    graph = started()
    left, right = (
        torch.full((2, size, depth), end, dtype=torch.uint8) for size, end in zip((5, 37), ends, strict=True)
    )
    tables = [grouped(graph, size, zero, multiple) for size in (5, 37)]
    scale = (graph.table(2**23, 2**24 - 1, graph.steps), graph.table(40, 44, graph.steps), 32)
    codes = (graph.constant(left), graph.constant(right))
    y = graph.call(dgqc.matmul.default, *codes, graph.step, *tables[0], 1, *tables[1], 1, *scale)
    program, inputs = as_program(graph, y)
    ensure_shapes(program)
    assert matmul_sums(y).codes
    check(kernels, program, inputs)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 70), st.integers(1, 16), st.integers(1, 127))
def test_codes_by_rows(kernels: Builds, seed: int, rows: int, columns: int, quads: int, most: int) -> None:
    """Blocks of rows that begin within a head, and columns beyond whole panels."""
    graph = IntegerGraph(seed=seed)
    sizes = {"a": (3, rows, 4 * quads), "b": (3, columns, 4 * quads)}
    a, b = (
        graph.quantized(x, size, 1, 8, 4, 0, most)
        for x, size in zip(graph.take(**sizes), (rows, columns), strict=True)
    )
    scale = (graph.table(2**23, 2**24 - 1, graph.steps), graph.table(30, 40, graph.steps), 32)
    y = graph.call(dgqc.matmul.default, a[0], b[0], graph.step, *a[1:], *b[1:], *scale)
    program = graph.finish(y)
    ensure_shapes(program)
    assert matmul_sums(y).codes
    check(kernels, program, {name: graph.values(*shape) for name, shape in sizes.items()})


def sums_of(depth: int, multiple: int, shift: int, columns: int = 3) -> MatmulSums:
    graph = started()
    left, right = (graph.constant(torch.zeros(1, size, depth, dtype=torch.uint8)) for size in (3, columns))
    tables = [grouped(graph, depth, 0, multiple) for _ in range(2)]
    scale = (graph.table(2**24, 2**25, graph.steps), graph.table(shift, shift, graph.steps), 32)
    y = graph.call(dgqc.matmul.default, left, right, graph.step, *tables[0], 2, *tables[1], 2, *scale)
    ensure_shapes(graph.finish(y))
    return matmul_sums(y)


def test_matmul_carries_sums_in_few_and_equal_stretches() -> None:
    assert sums_of(40, 1, 40) == MatmulSums(True, 40)
    assert sums_of(41, 1, 40) == MatmulSums(True, 42), "whole pairs"
    # 40 * (127 * 255)^2 is 19.6 * 2^31.
    assert sums_of(40, 127, 40) == MatmulSums(True, 2)
    assert sums_of(40, 60, 40) == MatmulSums(True, 8), (
        "5 stretches of 8: 5.03 * 2^31 has no room in fewer than 6 of 7"
    )
    assert not sums_of(40, 200, 40).narrow, "an operand passes int16"
    assert not sums_of(40, 1, 40, columns=1).narrow, "one column would fill one lane of a vector"


@pytest.mark.parametrize(
    ("depth", "multiple", "factor", "shift", "codes"),
    [
        (128, 127, 2**24, 40, True),
        (132, 127, 2**24, 40, False),  # 132 codes of 255 don't add up to an int16
        (42, 127, 2**24, 40, False),  # which are not whole quads
        (128, 127, 2**25, 40, False),  # a row's multiple and the factor don't fit int32
        (128, 127, 2**24, 31, True),
        (128, 127, 2**24, 30, False),  # sums shifted so far to the left don't fit int32
    ],
)
def test_matmul_takes_codes_as_they_are_where_sums_fit(
    depth: int, multiple: int, factor: int, shift: int, codes: bool
) -> None:
    graph = started()
    left, right = (graph.constant(torch.zeros(1, 3, depth, dtype=torch.uint8)) for _ in range(2))
    tables = [grouped(graph, 3, 0, multiple) for _ in range(2)]
    scale = (graph.table(factor, factor, graph.steps), graph.table(shift, shift, graph.steps), 32)
    y = graph.call(dgqc.matmul.default, left, right, graph.step, *tables[0], 1, *tables[1], 1, *scale)
    ensure_shapes(graph.finish(y))
    assert matmul_sums(y).codes is codes


def test_matmul_shifts_sums_left_only_where_they_fit() -> None:
    """Below a shift of 32, the upper half of a product holds the result only of a sum shifted left."""
    assert sums_of(40, 1, 23) == MatmulSums(True, 40)
    assert not sums_of(40, 1, 20).narrow
    assert not sums_of(40, 60, 31).narrow


@pytest.mark.parametrize("granularity", ["row", "tensor"])
@pytest.mark.parametrize("kind", ["log2", "uniform"])
@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("keys", [1, 15, 16, 17, 77, 4096])
def test_softmax_at_the_ends_of_int32(
    kernels: Builds, granularity: str, kind: str, start: bool, keys: int
) -> None:
    """Rows of equal logits at either end, and rows with one large logit among small ones."""
    low, high = ENDS
    logits = torch.full((1, 5, keys + int(start)), low, dtype=torch.int32)
    logits[0, 1] = high
    for row, place in ((2, 0), (3, keys // 2), (4, keys - 1)):
        logits[0, row, place] = high
    graph = started()
    given, op = graph.constant(logits), getattr(dgqc, f"softmax_{kind}").default
    y = graph.call(op, given, 31 if kind == "log2" else 8, granularity, start)
    for result in range(4):
        check(kernels, *as_program(graph, graph.call(operator.getitem, y, result)))
        graph.graph.erase_node(next(node for node in graph.graph.nodes if node.op == "output"))


def shares_times_values(
    graph: IntegerGraph,
    codes: torch.Tensor,
    values: torch.Tensor,
    by_key: bool,
    multiple: int,
    table: list[int] = LOG_SHARES,
) -> Any:
    """An attend of rows with a scale of 1/16."""
    rows = (*codes.shape[:-1], 1)
    scale = (graph.table(2**14, 2**15, *rows), graph.table(4, 4, *rows), graph.table(0, 0, *rows), False)
    shares, fraction = (
        graph.constant(torch.tensor(table, dtype=torch.int32)),
        23 if table == LOG_SHARES else 0,
    )
    tables = grouped(graph, values.shape[1 if by_key else 2], 0, multiple)
    factors = (graph.table(2**10, 2**12, graph.steps), graph.table(22, 30, graph.steps))
    operand = (graph.constant(values), graph.step, *tables, 1 if by_key else 2)
    return graph.call(
        dgqc.attend.default, graph.constant(codes), *scale, shares, fraction, *operand, *factors
    )


@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("keys", [4096, 4099])
def test_flat_rows_of_many_keys(kernels: Builds, by_key: bool, keys: int) -> None:
    """Every key has the largest share and the largest value: 4096 * 2^23 * 255 * 127 is 2^50."""
    graph = started()
    codes = torch.zeros(1, 3, keys, dtype=torch.uint8)
    values = torch.full((1, keys, 5), 255, dtype=torch.uint8)
    y = shares_times_values(graph, codes, values, by_key, 127)
    check(kernels, *as_program(graph, y))


@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("keys", [2**16, 2**16 + 1])
def test_flat_rows_of_whole_shares(kernels: Builds, by_key: bool, value: int, keys: int) -> None:
    """As many products of bytes as fit int32, all at their end, and one more."""
    graph = started()
    codes = torch.full((1, 2, keys), 255, dtype=torch.uint8)
    values = torch.full((1, keys, 5), value, dtype=torch.uint8)
    y = shares_times_values(graph, codes, values, by_key, 127, WHOLE_SHARES)
    program, inputs = as_program(graph, y)
    ensure_shapes(program)
    assert (attend_bytes(y).value > 0) == (keys == 2**16)
    check(kernels, program, inputs)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("longest", [2**15, 2**15 + 1])
def test_a_stretch_of_many_keys(kernels: Builds, value: int, longest: int) -> None:
    """Its products with centered values fit int32, all at their end; those of one key more needn't."""
    graph = started()
    keys = longest + 70
    codes = torch.full((1, 2, keys), 255, dtype=torch.uint8)
    values = torch.full((1, keys, 5), value, dtype=torch.uint8)
    rows = (graph.table(2**14, 2**15, 1, 2, 1), graph.table(4, 4, 1, 2, 1), graph.table(0, 0, 1, 2, 1))
    shares = graph.constant(torch.tensor(WHOLE_SHARES, dtype=torch.int32))
    zeros = torch.tensor([[255 - value, 9]] * graph.steps, dtype=torch.int32)
    group = (torch.arange(keys) >= longest).to(torch.uint8)
    tables = (graph.constant(zeros), graph.table(1, 127, graph.steps, 2), graph.constant(group))
    factors = (graph.table(2**10, 2**12, graph.steps), graph.table(22, 30, graph.steps))
    given = (graph.constant(codes), *rows, False, shares, 0, graph.constant(values), graph.step)
    y = graph.call(dgqc.attend.default, *given, *tables, 1, *factors)
    program, inputs = as_program(graph, y)
    ensure_shapes(program)
    assert attend_bytes(y).ends == ((longest, keys) if longest == 2**15 else ())
    check(kernels, program, inputs)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 40),
    st.integers(250, 330),
    st.booleans(),
    st.sampled_from([LOG_SHARES, WHOLE_SHARES]),
)
def test_chunks_of_keys(
    kernels: Builds, seed: int, rows: int, keys: int, by_key: bool, table: list[int]
) -> None:
    """Around 256 keys, whose shares are added up at once, with rows of several heads in a block."""
    graph = started(seed)
    codes = torch.randint(0, len(table), (3, rows, keys), generator=graph.random, dtype=torch.uint8)
    values = torch.randint(0, 256, (3, keys, 6), generator=graph.random, dtype=torch.uint8)
    y = shares_times_values(graph, codes, values, by_key, 5, table)
    check(kernels, *as_program(graph, y))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(0, 3), st.integers(1, 9), st.integers(0, 255))
def test_groups_of_keys_side_by_side(
    kernels: Builds, seed: int, rows: int, more: int, columns: int, zero: int
) -> None:
    """Stretches of keys that begin anywhere in a quad, with multiples of their own."""
    graph, stretches = started(seed), [64 + seed % 5, 65, 66 + more, 130]
    keys = sum(stretches)
    codes = torch.randint(0, 256, (3, rows, keys), generator=graph.random, dtype=torch.uint8)
    values = torch.randint(0, 256, (3, keys, columns), generator=graph.random, dtype=torch.uint8)
    group = torch.arange(4, dtype=torch.uint8).repeat_interleave(torch.tensor(stretches))
    tables = (
        graph.table(zero, 255, graph.steps, 4),
        graph.table(1, 127, graph.steps, 4),
        graph.constant(group),
    )
    y = shares_times_values(graph, codes, values, True, 5, WHOLE_SHARES)
    places = [argument.name for argument in dgqc.attend.default._schema.arguments]
    for name, table in zip(("zero", "multiple", "group"), tables, strict=True):
        y.update_arg(places.index(name), table)
    program, inputs = as_program(graph, y)
    ensure_shapes(program)
    assert attend_bytes(y) == AttendBytes(0, 1, tuple(torch.tensor(stretches).cumsum(0).tolist()))
    check(kernels, program, inputs)


def bytes_of(values: torch.Tensor, by_key: bool, multiple: int, table: list[int] = LOG_SHARES) -> AttendBytes:
    graph = started()
    y = shares_times_values(graph, torch.zeros(1, 3, 9, dtype=torch.uint8), values, by_key, multiple, table)
    ensure_shapes(graph.finish(y))
    return attend_bytes(y)


def test_values_are_bytes_where_they_can_be() -> None:
    codes, wide = torch.zeros(1, 9, 4, dtype=torch.uint8), torch.zeros(1, 9, 4, dtype=torch.int16)
    assert bytes_of(codes, False, 9999) == AttendBytes(3, 1), "columns' multiples come behind the sum"
    assert bytes_of(codes, True, 127) == AttendBytes(3, 2)
    assert bytes_of(codes, True, 129).value == 0, "129 * 255 doesn't fit int16"
    assert bytes_of(wide, False, 1) == AttendBytes(3, 2)
    assert bytes_of(codes, False, 1, WHOLE_SHARES) == AttendBytes(0, 1), "codes are shares"


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 3),
    st.integers(1, 30),
    st.sampled_from([5, 40]),
    st.sampled_from([6, 8]),
)
def test_attention_as_one_stream(
    kernels: Builds, seed: int, heads: int, rows: int, depth: int, bits: int
) -> None:
    """From queries to outputs, with one scale for the sample: two loops over all rows."""
    graph = IntegerGraph(seed=seed)
    keys = rows + 3
    sizes = {"q": (heads, rows, depth), "k": (heads, keys, depth), "v": (heads, keys, depth)}
    q, k, v = (graph.quantized(x, depth, 2, bits, 4) for x in graph.take(**sizes))
    scale = (graph.table(2**24, 2**25, graph.steps), graph.table(33, 36, graph.steps), 32)
    logits = graph.call(dgqc.matmul.default, q[0], k[0], graph.step, *q[1:], *k[1:], *scale)
    softmax = graph.call(dgqc.softmax_log2.default, logits, 31, "tensor", False)
    parts = [graph.call(operator.getitem, softmax, i) for i in range(4)]
    shares = graph.constant(torch.tensor(LOG_SHARES, dtype=torch.int32))
    factors = (graph.table(2**14, 2**16, graph.steps), graph.table(24, 30, graph.steps))
    y = graph.call(dgqc.attend.default, *parts, False, shares, 23, v[0], graph.step, *v[1:], *factors)
    check(kernels, graph.finish(y), {name: graph.values(*shape) for name, shape in sizes.items()})
