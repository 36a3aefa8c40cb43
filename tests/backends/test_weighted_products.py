"""Linear and convolutions: C and reference agree in every bit, whatever the constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.backends.c.kernels.product_sums import combination
from dgqc.backends.c.kernels.products import segment_sums, sums_pay
from dgqc.ir.arithmetic.operands import ensure_shapes, value_of
from dgqc.ir.ops.convolution import convolved

from .integer_graph import IntegerGraph
from .kernels import Builds, check

dgqc = torch.ops.dgqc


@dataclass(frozen=True)
class Codes:
    """How an operand is quantized. bits: 16 for values as they are. together: groups are contiguous.
    beyond: how far zeros lie outside the codes. most: the largest multiple."""

    bits: int
    groups: int
    together: bool
    beyond: int
    most: int

    def of(self, graph: IntegerGraph, x: fx.Node, size: int, axis: int) -> tuple[Any, ...]:
        """codes, zero, multiple, group and axis."""
        if self.bits == 16:
            zero = graph.constant(torch.zeros(graph.steps, 1, dtype=torch.int32))
            one = graph.constant(torch.ones(graph.steps, 1, dtype=torch.int32))
            return x, zero, one, graph.constant(torch.zeros(size, dtype=torch.uint8)), axis
        operand = graph.quantized(x, size, axis, self.bits, self.groups, self.beyond, self.most)
        if self.together:
            group = getattr(graph.root, str(operand[3].target))
            group.copy_(group.sort().values)
        return operand


codes = st.builds(
    Codes,
    bits=st.sampled_from([2, 4, 6, 8, 8, 16]),
    groups=st.integers(1, 9),
    together=st.booleans(),
    beyond=st.sampled_from([0, 0, 0, 5, 300, 900]),
    most=st.sampled_from([1, 9, 16, 128, 2**11, 2**21]),
)
seeds, weight_bits = st.integers(0, 2**31), st.sampled_from([2, 3, 4, 8])
many = settings(max_examples=60, deadline=None)


@many
@given(seeds, codes, weight_bits, st.integers(1, 20), st.integers(1, 150), st.integers(1, 70), st.booleans())
def test_linear(
    kernels: Builds, seed: int, codes: Codes, bits: int, rows: int, depth: int, columns: int, by_row: bool
) -> None:
    graph = IntegerGraph(seed=seed)
    shape = (2, rows, depth) if seed % 3 == 0 else (rows, depth)
    (x,) = graph.take(x=shape)
    operand = codes.of(graph, x, rows if by_row else depth, -2 if by_row else -1)
    weight = graph.weight(bits, columns, depth)
    args = (operand[0], graph.step, *operand[1:], weight, *graph.epilogue(columns))
    check(kernels, graph.finish(graph.call(dgqc.linear.default, *args)), {"x": graph.values(*shape)})


@pytest.mark.parametrize(
    ("rows", "depth", "columns", "groups", "bits", "most"),
    [
        (13, 2048, 40, 8, 4, 16),
        (9, 2052, 17, 3, 4, 16),
        (13, 3001, 33, 9, 4, 16),
        (21, 4097, 16, 1, 4, 16),
        (100, 1300, 337, 8, 4, 16),
        (290, 68, 40, 8, 4, 16),
        (100, 1300, 337, 8, 3, 16),
        (9, 2052, 17, 3, 2, 16),
        (50, 128, 40, 8, 4, 16),  # steps of 64 codes, which matrix units load where rows lie
        (48, 1344, 33, 3, 4, 16),
        (100, 1300, 337, 8, 8, 127),  # weights that matrix units take as two bytes
        (70, 131, 40, 9, 8, 255),
        (24, 768, 17, 1, 8, 255),
        (64, 900, 48, 8, 8, 256),
    ],
)
def test_long_sums_of_multiplied_weights_come_in_parts(
    kernels: Builds, rows: int, depth: int, columns: int, groups: int, bits: int, most: int
) -> None:
    graph = IntegerGraph(seed=depth)
    (x,) = graph.take(x=(rows, depth))
    operand = Codes(8 if bits == 8 else 6, groups, True, 0, most).of(graph, x, depth, -1)
    weight = graph.weight(bits, columns, depth)
    args = (operand[0], graph.step, *operand[1:], weight, *graph.epilogue(columns))
    check(kernels, graph.finish(graph.call(dgqc.linear.default, *args)), {"x": graph.values(rows, depth)})


@pytest.mark.parametrize(
    ("rows", "depth", "columns", "bits"),
    [
        (70, 8, 512, 8),  # out of a branch, whose results leave registers as they are
        (65, 32, 45, 4),
        (9, 256, 33, 8),
        (9, 260, 32, 8),  # in two parts
        (67, 1001, 17, 4),
        (130, 1500, 70, 8),
    ],
)
def test_16_bit_values_come_in_pairs(kernels: Builds, rows: int, depth: int, columns: int, bits: int) -> None:
    graph = IntegerGraph(seed=depth)
    (x,) = graph.take(x=(rows, depth))
    operand = Codes(16, 1, True, 0, 1).of(graph, x, depth, -1)
    weight = graph.weight(bits, columns, depth)
    args = (operand[0], graph.step, *operand[1:], weight, *graph.epilogue(columns))
    check(kernels, graph.finish(graph.call(dgqc.linear.default, *args)), {"x": graph.values(rows, depth)})


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "padding"),
    [
        ((5, 6, 32), (3, 3), [1, 1], [1, 1]),
        ((6, 5, 64), (3, 3), [2, 2], [1, 1]),
        ((3, 4, 8), (2, 1), [1, 2], [3, 3]),  # windows that are all padding
        ((4, 4, 7), (3, 2), [1, 1], [2, 0]),
    ],
)
def test_windows_of_16_bit_values(
    kernels: Builds, image: tuple[int, ...], kernel: tuple[int, ...], stride: list[int], padding: list[int]
) -> None:
    graph = IntegerGraph(seed=image[2])
    (x,) = graph.take(x=(1, *image))
    given, *tables, _ = Codes(16, 1, True, 0, 1).of(graph, x, image[2], 3)
    weight = graph.weight(8, 24, *kernel, image[2])
    args = (given, graph.step, *tables, weight, *graph.epilogue(24), stride, padding)
    check(kernels, graph.finish(graph.call(dgqc.conv2d.default, *args)), {"x": graph.values(1, *image)})


@pytest.mark.parametrize("stride", [1, 2])
def test_pixels_of_whole_steps_are_multiplied_where_they_lie(kernels: Builds, stride: int) -> None:
    graph = IntegerGraph(seed=stride)
    (x,) = graph.take(x=(1, 4, 34, 64))
    given, zero, multiple, group, _ = Codes(6, 5, True, 0, 16).of(graph, x, 64, 3)
    tables = (zero, multiple, group, graph.weight(4, 20, 3, 3, 64), *graph.epilogue(20))
    product = graph.call(dgqc.conv2d.default, given, graph.step, *tables, [1, stride], [1, 1])
    check(kernels, graph.finish(product), {"x": graph.values(1, 4, 34, 64)})


def test_a_window_of_many_lines_comes_in_parts_of_few_runs(kernels: Builds) -> None:
    graph = IntegerGraph(seed=3)
    (x,) = graph.take(x=(1, 24, 5, 70))
    given, zero, multiple, group, _ = Codes(6, 5, True, 0, 16).of(graph, x, 70, 3)
    tables = (zero, multiple, group, graph.weight(4, 20, 19, 2, 70), *graph.epilogue(20))
    product = graph.call(dgqc.conv2d.default, given, graph.step, *tables, [1, 1], [1, 1])
    check(kernels, graph.finish(product), {"x": graph.values(1, 24, 5, 70)})


windows = st.tuples(
    st.sampled_from([(1, 1), (1, 1), (3, 3), (3, 3), (2, 3), (5, 1)]),
    st.sampled_from([[1, 1], [1, 1], [2, 2], [2, 1], [3, 3]]),
    st.sampled_from([[0, 0], [1, 1], [2, 1]]),
)
images = st.tuples(st.integers(5, 9), st.integers(5, 10), st.sampled_from([1, 3, 4, 9, 24, 70]))


@many
@given(seeds, codes, weight_bits, images, windows, st.integers(1, 40))
def test_conv2d(
    kernels: Builds, seed: int, codes: Codes, bits: int, image: Any, window: Any, columns: int
) -> None:
    graph = IntegerGraph(seed=seed)
    (x,) = graph.take(x=(1, *image))
    kernel, stride, padding = window
    given, zero, multiple, group, _ = codes.of(graph, x, image[2], 3)
    weight = graph.weight(bits, columns, *kernel, image[2])
    args = (given, graph.step, zero, multiple, group, weight, *graph.epilogue(columns), stride, padding)
    check(kernels, graph.finish(graph.call(dgqc.conv2d.default, *args)), {"x": graph.values(1, *image)})


@many
@given(seeds, codes.filter(lambda c: c.bits < 16), weight_bits, images, windows, st.integers(1, 40))
def test_conv2d_pixel(
    kernels: Builds, seed: int, codes: Codes, bits: int, image: Any, window: Any, columns: int
) -> None:
    graph = IntegerGraph(seed=seed)
    (x,) = graph.take(x=(1, *image))
    kernel, stride, padding = window
    sizes = (convolved(*size) for size in zip(image, kernel, stride, padding, strict=False))
    positions = next(sizes) * next(sizes)
    # The quantizer of another graph lends its tables; only they are used here.
    quantizer, zero, multiple, group, _ = codes.of(graph, x, positions, 2)
    tables = quantizer.args[2:5]
    graph.graph.erase_node(quantizer)
    weight = graph.weight(bits, columns, *kernel, image[2])
    operand = (zero, multiple, group, codes.bits, weight)
    args = (x, graph.step, *tables, *operand, *graph.epilogue(columns), stride, padding)
    check(kernels, graph.finish(graph.call(dgqc.conv2d_pixel.default, *args)), {"x": graph.values(1, *image)})


@pytest.mark.parametrize(
    ("weight", "multiple", "ends"),
    [
        (127, 828, (2, 4, 6, 8)),  # 40 * 255 * 127 * 828 * 2 is 2^31 less 0.1 %
        (127, 829, (1, 2, 3, 4, 5, 6, 7, 8)),
        (-128, 822, (2, 4, 6, 8)),
        (-128, 205, (8,)),
    ],
)
def test_stretches_whose_sums_just_fit(
    kernels: Builds, weight: int, multiple: int, ends: tuple[int, ...]
) -> None:
    """Codes, weights and multiples at their ends."""
    graph = IntegerGraph()
    graph.take(x=(1,))
    codes = graph.constant(torch.full((3, 320), 255, dtype=torch.uint8))
    tables = (graph.table(0, 0, graph.steps, 8), graph.table(multiple, multiple, graph.steps, 8))
    group = graph.constant(torch.arange(8, dtype=torch.uint8).repeat_interleave(40))
    weights = graph.constant(torch.full((35, 320), weight, dtype=torch.int8))
    ranges = (
        (2**30, 35),
        (2**24, graph.steps),
        (44, graph.steps),
        (0, 35),
        (2**20, graph.steps),
        (12, graph.steps),
    )
    epilogue = (graph.table(value, value, size) for value, size in ranges)
    node = graph.call(dgqc.linear.default, codes, graph.step, *tables, group, 1, weights, *epilogue)
    program = graph.finish(node)
    ensure_shapes(program)
    found = combination(node)
    assert found is not None
    assert found.ends == ends
    check(kernels, program, {"x": graph.values(1)})


@pytest.mark.parametrize(
    ("codes", "depth", "expected"),
    [
        (Codes(8, 8, True, 0, 9), 320, (8, 32, 1)),
        (Codes(8, 8, True, 0, 2**11), 320, (8, 64, 3)),
        (Codes(8, 8, True, 0, 2**21), 320, (8, 64, 8)),
        (Codes(8, 1, True, 0, 9), 320, (1, 32, 1)),
        (Codes(8, 8, True, 300, 9), 320, (8, 32, 1)),
        (Codes(16, 1, True, 0, 9), 320, None),
    ],
)
def test_which_kernel_takes_what(codes: Codes, depth: int, expected: tuple[int, int, int] | None) -> None:
    """The properties above reach every kernel and every width of sums."""
    graph = IntegerGraph(seed=3)
    (x,) = graph.take(x=(4, depth))
    operand = codes.of(graph, x, depth, -1)
    args = (operand[0], graph.step, *operand[1:], graph.weight(8, 5, depth), *graph.epilogue(5))
    node = graph.call(dgqc.linear.default, *args)
    ensure_shapes(graph.finish(node))
    found = combination(node)
    assert (found and (len(found.segments), found.total_bits, len(found.ends))) == expected


def test_zero_points_around_an_image_are_bytes() -> None:
    for beyond, fast in ((0, True), (300, False)):
        graph = IntegerGraph(seed=3)
        (x,) = graph.take(x=(1, 5, 5, 40))
        given, zero, multiple, group, _ = Codes(8, 8, True, beyond, 9).of(graph, x, 40, 3)
        weight = graph.weight(8, 5, 3, 3, 40)
        args = (given, graph.step, zero, multiple, group, weight, *graph.epilogue(5), [1, 1], [1, 1])
        node = graph.call(dgqc.conv2d.default, *args)
        ensure_shapes(graph.finish(node))
        assert (combination(node) is not None) == fast


@pytest.mark.parametrize("end", [0, 255])
@pytest.mark.parametrize("weight", [-128, 127])
def test_sums_at_their_ends(kernels: Builds, end: int, weight: int) -> None:
    """Every product at its end: 255 * 127 twice passes int16, and 65 000 of them almost fill int32."""
    for depth in (8, 4000, 65_700):
        graph = IntegerGraph()
        (x,) = graph.take(x=(3, depth))
        offset = graph.table(end << 15, end << 15, graph.steps, 1)
        one, shift = (graph.table(value, value, graph.steps, 1) for value in (1, 15))
        group = graph.constant(torch.zeros(depth, dtype=torch.uint8))
        quantized = graph.call(dgqc.quantize.default, x, graph.step, one, offset, shift, group, 1, 8)
        zero = graph.table(128, 128, graph.steps, 1)
        values = graph.constant(torch.full((3, depth), weight, dtype=torch.int8))
        args = (quantized, graph.step, zero, one, group, 1, values, *graph.epilogue(3))
        program = graph.finish(graph.call(dgqc.linear.default, *args))
        check(kernels, program, {"x": torch.zeros(3, depth, dtype=torch.int16)})


@pytest.mark.parametrize(
    ("taps", "groups", "known"), [((3, 3), 8, True), ((1, 2), 8, False), ((1, 1), 1, True)]
)
def test_sums_of_weights_are_stored_where_they_are_small(
    kernels: Builds, taps: tuple[int, int], groups: int, known: bool
) -> None:
    """The properties above reach both ways to center sums: those that are known, and those of a call."""
    channels = 70
    graph = IntegerGraph(seed=5)
    (x,) = graph.take(x=(1, 6, 6, channels))
    given, *tables, _ = Codes(8, groups, True, 0, 9).of(graph, x, channels, 3)
    weight = graph.weight(8, 20, *taps, channels)
    args = (given, graph.step, *tables, weight, *graph.epilogue(20), [1, 1], [1, 1])
    node = graph.call(dgqc.conv2d.default, *args)
    program = graph.finish(node)
    ensure_shapes(program)
    spans, values = combination(node), value_of(weight)
    assert spans is not None
    assert sums_pay(values, 8, spans) == known
    ends = [(first, first + count) for first, count in spans.segments]
    wanted = [values.to(torch.int32).flatten(1, -2)[..., first:last].sum((1, 2)) for first, last in ends]
    assert torch.equal(segment_sums(values, spans), torch.stack(wanted))
    check(kernels, program, {"x": graph.values(1, 6, 6, channels)})
