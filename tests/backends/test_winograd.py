"""Convolutions by tiles of 4x4 pixels: the same bits as the reference, whichever rows a block has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.backends.c.kernels.runtime_header import defined
from dgqc.backends.c.kernels.winograd import (
    FEWEST_CHANNELS,
    FEWEST_COLUMNS,
    MOST_CODE,
    doubles_pixels,
    takes_tiles,
)
from dgqc.backends.c.layout.fuse_rows import FuseRows
from dgqc.backends.c.layout.plan import layout_of
from dgqc.ir.arithmetic.operands import ensure_shapes
from dgqc.ir.program import Program

from .integer_graph import IntegerGraph
from .kernels import Builds, check

dgqc = torch.ops.dgqc
SMALL = (1, 8, 8, 128)


def convolution(
    seed: int = 0,
    image: tuple[int, ...] = SMALL,
    columns: int = 128,
    bits: tuple[int, int] = (6, 4),
    groups: int = 8,
    most: int = 16,
    window: tuple[Any, ...] = ((3, 3), [1, 1], [1, 1]),
    larger: tuple[int, int] | None = None,
) -> tuple[Program, fx.Node, IntegerGraph]:
    """One of random constants. bits: of codes and weights. window: taps, stride, padding. larger: what the
    image becomes first, from its nearest pixels."""
    graph, (taps, stride, padding) = IntegerGraph(seed=seed), window
    (x,) = graph.take(x=image)
    if larger is not None:
        x = graph.call(dgqc.upsample_nearest.default, x, *larger)
    codes, zero, multiple, group, _ = graph.quantized(x, image[-1], 3, bits[0], groups, 0, most)
    index = getattr(graph.root, str(group.target))
    index.copy_(index.sort().values)
    tables = (
        zero,
        multiple,
        group,
        graph.weight(bits[1], columns, *taps, image[-1]),
        *graph.epilogue(columns),
    )
    node = graph.call(dgqc.conv2d.default, codes, graph.step, *tables, stride, padding)
    program = graph.finish(node)
    ensure_shapes(program)
    return program, node, graph


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([(1, 8, 8), (1, 2, 34), (1, 16, 10), (2, 4, 12), (1, 40, 2)]),
    st.sampled_from([128, 131, 330, 1001]),
    st.sampled_from([128, 129, 144, 150]),
    st.sampled_from([(6, 4), (4, 4), (6, 3), (5, 2)]),
    st.integers(1, 9),
)
def test_tiles(
    kernels: Builds,
    seed: int,
    image: tuple[int, ...],
    channels: int,
    columns: int,
    bits: tuple[int, int],
    groups: int,
) -> None:
    """Blocks begin and end within tiles, too."""
    program, node, graph = convolution(seed, (*image, channels), columns, bits, groups)
    assert takes_tiles(node)
    check(kernels, program, {"x": graph.values(*image, channels)})


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([(1, 4, 4), (1, 1, 34), (1, 9, 5), (2, 3, 6), (1, 20, 1)]),
    st.sampled_from([128, 330]),
    st.sampled_from([128, 150]),
    st.sampled_from([(6, 4), (5, 2)]),
    st.integers(1, 9),
)
def test_tiles_of_a_doubled_image(
    kernels: Builds,
    seed: int,
    image: tuple[int, ...],
    channels: int,
    columns: int,
    bits: tuple[int, int],
    groups: int,
) -> None:
    """Seven places of sixteen are left out."""
    size = (2 * image[1], 2 * image[2])
    program, node, graph = convolution(seed, (*image, channels), columns, bits, groups, larger=size)
    assert takes_tiles(node)
    assert doubles_pixels(node)
    check(kernels, program, {"x": graph.values(*image, channels)})


@pytest.mark.parametrize("larger", [None, (8, 8), (16, 8), (24, 24), (10, 10)])
def test_other_images_have_all_places(kernels: Builds, larger: tuple[int, int] | None) -> None:
    program, node, graph = convolution(3, larger=larger)
    assert takes_tiles(node)
    assert not doubles_pixels(node)
    check(kernels, program, {"x": graph.values(*SMALL)})


def test_groups_of_lines_make_pixels_differ() -> None:
    """A square of four pixels may have two lines with different scales then."""
    _, node, _ = convolution(3, larger=(16, 16))
    codes = node.args[0]
    assert isinstance(codes, fx.Node)
    assert doubles_pixels(node)
    codes.args = (*codes.args[:6], 1, *codes.args[7:])
    assert not doubles_pixels(node)


@pytest.mark.parametrize("code", [0, MOST_CODE])
@pytest.mark.parametrize("weight", [-8, 7])
def test_places_at_their_ends(kernels: Builds, code: int, weight: int) -> None:
    """Codes and weights of a checkerboard, whose differences are the largest."""
    program, node, graph = convolution(5)
    board = torch.arange(8)[:, None] + torch.arange(8)[None, :]
    ends = torch.where(board % 2 == 0, torch.iinfo(torch.int16).min, torch.iinfo(torch.int16).max)
    weights = getattr(graph.root, str(node.args[5].target))  # type: ignore[union-attr]
    taps = torch.arange(9).reshape(3, 3)[None, :, :, None] % 2
    weights.copy_(torch.where(taps == 0, weight, -1 - weight).expand_as(weights))
    x = ends.to(torch.int16)[None, :, :, None].expand(SMALL).contiguous()
    check(kernels, program, {"x": x if code else -1 - x})


@pytest.mark.parametrize(
    ("given_", "fits"),
    [
        ({}, True),
        ({"bits": (8, 4)}, False),
        ({"bits": (7, 4)}, False),
        ({"bits": (6, 8)}, False),
        ({"most": 128}, False),
        ({"groups": defined("DGQC_WINOGRAD_SEGMENTS") + 1}, False),
        ({"image": (1, 6, 8, 128)}, False),
        ({"image": (1, 11, 8, 128)}, False),
        ({"image": (1, 8, 11, 128)}, False),
        ({"image": (1, 8, 8, FEWEST_CHANNELS - 1)}, False),
        ({"columns": FEWEST_COLUMNS - 1}, False),
        ({"window": ((3, 3), [2, 2], [1, 1])}, False),
        ({"window": ((3, 3), [1, 1], [0, 0])}, False),
        ({"window": ((1, 1), [1, 1], [0, 0])}, False),
        ({"window": ((5, 3), [1, 1], [2, 1])}, False),
    ],
)
def test_which_convolutions_have_tiles(given_: dict[str, Any], fits: bool) -> None:
    assert takes_tiles(convolution(**given_)[1]) == fits


def test_small_weights_that_are_declared_8_bits_wide(kernels: Builds) -> None:
    program, node, graph = convolution(7)
    graph.weight_bits.clear()
    program.report.pop("weight-bits", None)
    assert takes_tiles(node)
    check(kernels, program, {"x": graph.values(*SMALL)})


@pytest.mark.parametrize(
    ("image", "together", "block"),
    [((64, 64), 128, 128), ((16, 16), 32, 128), ((8, 8), 16, 64), ((6, 24), 48, 144), ((10, 80), 160, 160)],
)
def test_blocks_are_pairs_of_lines(image: tuple[int, int], together: int, block: int) -> None:
    program, _, _ = convolution(image=(1, *image, 128))
    fusion = layout_of(FuseRows(tile=4).run(program)).fusion
    assert fusion is not None
    assert (fusion.groups[-1].together, fusion.groups[-1].block) == (together, block)
