"""Quantize, softmax, norms, gates, sums: C and reference agree in every bit, extremes included."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.arithmetic.lookup import activation_table, normal_distribution, sigmoid

from .cases import CASES
from .integer_graph import IntegerGraph, pick
from .kernels import Builds, check

dgqc = torch.ops.dgqc
seeds = st.integers(0, 2**31)
many = settings(max_examples=30, deadline=None)
sizes = st.integers(1, 6)
shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@many
@given(seeds, shapes, st.integers(0, 3), st.integers(2, 8), st.integers(1, 4))
def test_quantize(kernels: Builds, seed: int, shape: Any, axis: int, bits: int, groups: int) -> None:
    graph = IntegerGraph(seed=seed)
    (x,) = graph.take(x=shape)
    axis %= len(shape)
    codes, *_ = graph.quantized(x, shape[axis], axis, bits, groups)
    check(kernels, graph.finish(codes), {"x": graph.values(*shape)})


def logits_of(graph: IntegerGraph, shape: tuple[int, ...], spread: int, coarse: bool) -> Any:
    """int32 logits of a random spread, some of them equal, some at the ends of int32.

    coarse: whole and half octaves, so that codes lie halfway between two.
    """
    values = pick(graph.random, -(2**spread), 2**spread - 1, *shape)
    values = values & ~32767 if coarse else values
    if spread == 31:
        values.view(-1)[0] = -(2**31)
        values.view(-1)[-1] = 2**31 - 1
    if shape[-1] > 2:
        values[..., 2] = values[..., 1]
    return graph.constant(values.to(torch.int32))


@many
@given(
    seeds, st.integers(1, 3), st.integers(1, 5), st.integers(1, 20), st.integers(0, 31), st.booleans(),
    st.sampled_from(["row", "tensor"]), st.sampled_from(["log2", "uniform", "static"]), st.booleans(),
)  # fmt: skip
def test_softmax(
    kernels: Builds, seed: int, heads: int, rows: int, keys: int, spread: int, start: bool, granularity: str,
    kind: str, coarse: bool,
) -> None:  # fmt: skip
    """Each of the four results, with one key and with many, with the first key apart and without."""
    graph = IntegerGraph(seed=seed)
    graph.take(x=(1,))
    logits = logits_of(graph, (1, heads, rows, keys + int(start)), spread, coarse)
    if kind == "log2":
        y = graph.call(dgqc.softmax_log2.default, logits, [1, 3, 15, 31][seed % 4], granularity, start)
    elif kind == "uniform":
        y = graph.call(dgqc.softmax_uniform.default, logits, 2 + seed % 7, granularity, start)
    else:
        tables = (graph.table(2**20, 2**31 - 1, graph.steps), graph.table(30, 58, graph.steps))
        scale = (graph.table(2**14, 2**15, graph.steps), graph.table(0, 9, graph.steps))
        y = graph.call(dgqc.softmax_static.default, logits, graph.step, *tables, *scale, 2 + seed % 7, start)
    for result in range(4):
        program = graph.finish(graph.call(operator.getitem, y, result))
        check(kernels, program, {"x": graph.values(1)})
        graph.graph.erase_node(next(node for node in graph.graph.nodes if node.op == "output"))


def test_scale_of_improbable_keys(kernels: Builds) -> None:
    """Everything lies on the start token: the others' scale is 2^-5 .. 2^-60, and ends at 2^-40."""
    graph = IntegerGraph()
    graph.take(x=(1,))
    below = torch.tensor([5, 20, 39, 40, 41, 60], dtype=torch.int32) << 16
    logits = torch.stack([torch.zeros_like(below), -below, -below - 70000], dim=1)[None, None]
    y = graph.call(dgqc.softmax_log2.default, graph.constant(logits), 31, "row", True)
    program = graph.finish(graph.call(operator.getitem, y, 2))
    check(kernels, program, {"x": graph.values(1)})


def norm_tables(graph: IntegerGraph, channels: int, elements: int) -> tuple[Any, ...]:
    top = 2**31 - 1
    return (
        graph.table(-top, top, channels),
        graph.table(2**20, top, graph.steps),
        graph.table(1, 40, graph.steps),
        graph.table(-top, top, channels),
        graph.table(2**20, top, graph.steps),
        graph.table(30, 62, graph.steps),
        graph.table(1, elements * 4096, graph.steps, dtype=torch.int64),
    )


def rows_to_normalize(graph: IntegerGraph, shape: tuple[int, ...], kind: int) -> torch.Tensor:
    """Full range, small values, constants (no variance), or the ends of int16."""
    if kind == 0:
        return graph.values(*shape)
    if kind == 1:
        return pick(graph.random, -3, 3, *shape, dtype=torch.int16)
    if kind == 2:
        return torch.full(shape, [-32768, 32767, 0, 7][graph.seed % 4], dtype=torch.int16)
    return (pick(graph.random, 0, 1, *shape) * 65535 - 32768).to(torch.int16)


@many
@given(seeds, st.integers(1, 4), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
def test_group_norm(
    kernels: Builds, seed: int, groups: int, per_group: int, height: int, width: int, kind: int
) -> None:
    graph = IntegerGraph(seed=seed)
    shape = (1, height, width, groups * per_group)
    (x,) = graph.take(x=shape)
    tables = norm_tables(graph, groups * per_group, per_group * height * width)
    y = graph.call(dgqc.group_norm.default, x, graph.step, groups, *tables)
    check(kernels, graph.finish(y), {"x": rows_to_normalize(graph, shape, kind)})


@many
@given(seeds, st.integers(1, 7), st.integers(1, 70), st.integers(0, 3))
def test_layer_norm(kernels: Builds, seed: int, rows: int, channels: int, kind: int) -> None:
    graph = IntegerGraph(seed=seed)
    shape = (1, rows, channels)
    (x,) = graph.take(x=shape)
    y = graph.call(dgqc.layer_norm.default, x, graph.step, *norm_tables(graph, channels, channels))
    check(kernels, graph.finish(y), {"x": rows_to_normalize(graph, shape, kind)})


@pytest.mark.parametrize(("gate", "reach"), [(sigmoid, 16.0), (normal_distribution, 8.0)])
@pytest.mark.parametrize("seed", range(4))
def test_gate_of_every_int16(kernels: Builds, gate: Any, reach: float, seed: int) -> None:
    graph = IntegerGraph(seed=seed)
    (x,) = graph.take(x=(65536,))
    table = graph.constant(activation_table(gate, reach))
    place = (graph.table(2**13, 2**16 - 1, graph.steps), graph.table(5, 16, graph.steps))
    factors = (graph.table(2**28, 2**30, graph.steps), graph.table(44, 47, graph.steps))
    y = graph.call(dgqc.activation.default, x, graph.step, table, *place, *factors)
    check(kernels, graph.finish(y), {"x": torch.arange(-32768, 32768).to(torch.int16)})


axes_of_pairs = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), min_size=1, max_size=4)


@many
@given(seeds, axes_of_pairs, st.booleans(), st.integers(1, 61))
def test_add_and_mul_broadcast(
    kernels: Builds, seed: int, axes: list[tuple[int, int]], product: bool, shift: int
) -> None:
    """Each axis is whole on both sides, or 1 on one of them; shifts for 32-bit arithmetic, and beyond it."""
    graph = IntegerGraph(seed=seed)
    a_shape = tuple(1 if kind == 1 else size for size, kind in axes)
    b_shape = tuple(1 if kind == 2 else size for size, kind in axes)
    a, b = graph.take(a=a_shape, b=b_shape)
    if product:
        tables = (graph.table(2**20, 2**31 - 1, graph.steps), graph.table(shift, shift + 1, graph.steps))
        y = graph.call(dgqc.mul.default, a, b, graph.step, *tables)
    else:
        factors = [graph.table(-(2**30), 2**30, graph.steps) for _ in range(2)]
        y = graph.call(
            dgqc.add.default, a, b, graph.step, *factors, graph.table(shift, shift + 1, graph.steps)
        )
    check(kernels, graph.finish(y), {"a": graph.values(*a_shape), "b": graph.values(*b_shape)})


@pytest.mark.parametrize("name", ["activation_by_columns", "sum_by_columns", "group_norm"])
def test_scales_of_channels(kernels: Builds, name: str) -> None:
    case = CASES[name]
    choices = {key: st.sampled_from(values) for key, values in case.space.items()}

    @many
    @given(seeds, st.fixed_dictionaries(choices))
    def agree(seed: int, choice: dict[str, object]) -> None:
        check(kernels, *case.program(seed, **choice))

    agree()


def test_rescale_of_every_int16_at_every_shift(kernels: Builds) -> None:
    graph = IntegerGraph(steps=62)
    (x,) = graph.take(x=(256, 256))
    factor = graph.table(2**30, 2**31 - 1, 62)
    shift = graph.constant(torch.arange(1, 63, dtype=torch.int32))
    program = graph.finish(graph.call(dgqc.rescale.default, x, graph.step, factor, shift))
    check(kernels, program, {"x": torch.arange(-32768, 32768).to(torch.int16).reshape(256, 256)})


@pytest.mark.parametrize("ends", [(2**30, 2**30), (-(2**30), -(2**30)), (2**30 - 1, -(2**30) + 1)])
def test_add_of_every_int16_at_every_shift(kernels: Builds, ends: tuple[int, int]) -> None:
    """Factors at their ends, with the ends of int16 on the other side."""
    graph = IntegerGraph(steps=62)
    a, b = graph.take(a=(256, 256), b=(256, 1))
    factors = [graph.table(end, end, 62) for end in ends]
    shift = graph.constant(torch.arange(1, 63, dtype=torch.int32))
    program = graph.finish(graph.call(dgqc.add.default, a, b, graph.step, *factors, shift))
    column = torch.tensor([-32768, 32767, 0, -1]).repeat(64).to(torch.int16)[:, None]
    values = torch.arange(-32768, 32768).reshape(256, 256).T.contiguous().to(torch.int16)
    check(kernels, program, {"a": values, "b": column})


@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize(
    "ends", [(2**15, 2**15), (-(2**15), 2**15 - 1), (2**30, -(2**30)), (3 * 2**15, 2**15)]
)
def test_sums_of_values_at_their_ends(kernels: Builds, ends: tuple[int, int], by_columns: bool) -> None:
    """Lanes hold halves of factors: of 2^15 the low one is -2^15, twice which by -2^15 is 2^31."""
    graph = IntegerGraph(steps=46)
    a, b = graph.take(a=(9, 70), b=(9, 70))
    factors = [graph.table(end, end, 46) for end in ends]
    shift = graph.constant(torch.arange(1, 47, dtype=torch.int32))
    columns = [graph.table(2**31 - 1, 2**31 - 1, 70) for _ in range(2)] if by_columns else []
    program = graph.finish(graph.call(dgqc.add.default, a, b, graph.step, *factors, shift, *columns))
    values = torch.tensor([-32768, -32768, 32767, -1, 0, 1, 16384]).repeat(90).to(torch.int16).reshape(9, 70)
    check(kernels, program, {"a": values, "b": torch.where(values == 0, values, values.flip(0))})


@many
@given(seeds, st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 13), st.integers(1, 13))
def test_upsample(kernels: Builds, seed: int, channels: int, h: int, w: int, height: int, width: int) -> None:
    graph = IntegerGraph(seed=seed)
    (x,) = graph.take(x=(1, h, w, channels))
    y = graph.call(dgqc.upsample_nearest.default, x, height, width)
    check(kernels, graph.finish(y), {"x": graph.values(1, h, w, channels)})


@many
@given(seeds, st.integers(1, 3), st.integers(3, 8), st.integers(3, 8), st.integers(1, 3), st.integers(1, 3))
def test_avg_pool(
    kernels: Builds, seed: int, channels: int, h: int, w: int, kernel: int, stride: int
) -> None:
    graph = IntegerGraph(seed=seed)
    (x,) = graph.take(x=(1, h, w, channels))
    y = graph.call(dgqc.avg_pool2d.default, x, kernel, stride)
    check(kernels, graph.finish(y), {"x": graph.values(1, h, w, channels)})
