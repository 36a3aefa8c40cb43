"""Reshape, permute, slice, cat and table rows, of 8, 16 and 32 bits."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .integer_graph import IntegerGraph
from .kernels import Builds, check

aten, dgqc = torch.ops.aten, torch.ops.dgqc
seeds = st.integers(0, 2**31)
many = settings(max_examples=40, deadline=None)
dtypes = st.sampled_from([torch.uint8, torch.int16, torch.int32])


@many
@given(seeds, st.lists(st.integers(1, 5), min_size=1, max_size=6), dtypes, st.randoms())
def test_permute(kernels: Builds, seed: int, shape: list[int], dtype: Any, random: Any) -> None:
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    order = list(range(len(shape)))
    random.shuffle(order)
    x = graph.table(0, 255, *shape, dtype=dtype)
    y = graph.call(aten.permute.default, x, order)
    check(kernels, graph.finish(y), {"x": graph.values(1)})


@many
@given(seeds, st.lists(st.integers(1, 7), min_size=1, max_size=4), dtypes, st.data())
def test_slice(kernels: Builds, seed: int, shape: list[int], dtype: Any, data: Any) -> None:
    """Views and copies, with steps, negative bounds, and a slice of a slice."""
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    y = graph.table(0, 255, *shape, dtype=dtype)
    for _ in range(2):
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        size = shape[axis]
        begin = data.draw(st.integers(0, size - 1))
        end = data.draw(st.integers(begin + 1, size))
        step = data.draw(st.sampled_from([1, 1, 2]))
        shape[axis] = len(range(begin, end, step))
        y = graph.call(aten.slice.Tensor, y, axis, begin - size, 2**63 - 1 if end == size else end, step)
    check(kernels, graph.finish(y), {"x": graph.values(1)})


@many
@given(seeds, st.lists(st.integers(1, 5), min_size=1, max_size=4), dtypes, st.data())
def test_cat(kernels: Builds, seed: int, shape: list[int], dtype: Any, data: Any) -> None:
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for size in data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)):
        shape[axis] = size
        parts.append(graph.table(0, 255, *shape, dtype=dtype))
    y = graph.call(aten.cat.default, parts, axis)
    check(kernels, graph.finish(y), {"x": graph.values(1)})


@many
@given(seeds, st.booleans(), st.booleans())
def test_table_rows_inputs_and_views_as_output(kernels: Builds, seed: int, table: bool, part: bool) -> None:
    """An output that is an input, a table's row, or a part of either."""
    graph = IntegerGraph(steps=3, seed=seed)
    (x,) = graph.take(x=(1, 6, 5))
    y = (
        graph.call(dgqc.at_step.default, graph.table(-9, 9, 3, 1, 6, 5, dtype=torch.int16), graph.step)
        if table
        else x
    )
    if part:
        y = graph.call(aten.slice.Tensor, y, 1, 2, 5)
    y = graph.call(aten.reshape.default, y, [-1])
    check(kernels, graph.finish(y), {"x": graph.values(1, 6, 5)})


@many
@given(seeds, st.lists(st.integers(1, 7), min_size=1, max_size=4), dtypes, st.data())
def test_gather(kernels: Builds, seed: int, shape: list[int], dtype: Any, data: Any) -> None:
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    axis = data.draw(st.integers(0, len(shape) - 1))
    order = torch.tensor(data.draw(st.permutations(range(shape[axis]))), dtype=torch.int32)
    x = graph.table(0, 255, *shape, dtype=dtype)
    y = graph.call(dgqc.gather.default, x, graph.constant(order), axis)
    check(kernels, graph.finish(y), {"x": graph.values(1)})


@many
@given(seeds, st.integers(1, 3), st.integers(1, 700), dtypes, st.booleans())
def test_gather_of_long_rows(
    kernels: Builds, seed: int, rows: int, columns: int, dtype: Any, sort: bool
) -> None:
    """Any order, and one that goes through the columns group by group."""
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    order = torch.randperm(columns, generator=graph.random)
    order = torch.argsort(order % 5, stable=True) if sort else order
    x = graph.table(0, 255, rows, columns, dtype=dtype)
    y = graph.call(dgqc.gather.default, x, graph.constant(order.to(torch.int32)), 1)
    check(kernels, graph.finish(y), {"x": graph.values(1)})
