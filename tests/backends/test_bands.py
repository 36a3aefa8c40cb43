"""Images in bands: the same bits, in less memory."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import fx

from dgqc.backends import reference
from dgqc.backends.c.layout.cut_bands import CutBands
from dgqc.backends.c.layout.plan import layout_of
from dgqc.ir.program import Program
from dgqc.ir.verify.verifier import problems

from .integer_graph import IntegerGraph
from .kernels import Builds, check, planned
from .test_pointwise import norm_tables
from .unet_like import unet_like

aten, dgqc = torch.ops.aten, torch.ops.dgqc
WIDE, NARROW = 16, 8


class DecoderGraph(IntegerGraph):
    """The end of a decoder: an image is enlarged, and a residual block halves its channels."""

    def convolved(self, x: fx.Node, channels: int, columns: int, taps: int, bits: int = 8) -> fx.Node:
        codes = self.quantized(x, channels, 3, bits, 2)[:4]
        weights = (self.weight(8, columns, taps, taps, channels), *self.epilogue(columns))
        window = ([1, 1], [taps // 2, taps // 2])
        return self.call(dgqc.conv2d.default, codes[0], self.step, *codes[1:], *weights, *window)

    def normed(self, x: fx.Node, channels: int, size: int) -> fx.Node:
        tables = norm_tables(self, channels, size * size * channels // 2)
        return self.call(dgqc.group_norm.default, x, self.step, 2, *tables)

    def added(self, a: fx.Node, b: fx.Node) -> fx.Node:
        factors = (*(self.table(2**28, 2**29, self.steps) for _ in "ab"), self.table(30, 30, self.steps))
        return self.call(dgqc.add.default, a, b, self.step, *factors)


def decoder(size: int = 16) -> Program:
    """From an image of half this size to one (1, 3, size, size)."""
    g = DecoderGraph(steps=2)
    (sample,) = g.take(sample=(1, WIDE, size // 2, size // 2))
    image = g.call(aten.permute.default, sample, [0, 2, 3, 1])
    large = g.call(dgqc.upsample_nearest.default, g.convolved(image, WIDE, WIDE, 3), size, size)
    x = g.convolved(large, WIDE, WIDE, 3)
    h = g.convolved(g.normed(x, WIDE, size), WIDE, NARROW, 3)
    h = g.convolved(g.normed(h, NARROW, size), NARROW, NARROW, 3)
    x = g.added(g.convolved(x, WIDE, NARROW, 1), h)
    h = g.convolved(g.normed(x, NARROW, size), NARROW, NARROW, 3)
    x = g.added(x, g.convolved(g.normed(h, NARROW, size), NARROW, NARROW, 3))
    pixels = g.convolved(g.normed(x, NARROW, size), NARROW, 3, 3)
    return g.finish(g.call(aten.permute.default, pixels, [0, 3, 1, 2]))


def cut(program: Program, kibibytes: int) -> Program:
    """A copy, its images in bands of so many KiB."""
    return CutBands(band=kibibytes, least=4).run(replace(program, graph=copy.deepcopy(program.graph)))


def inputs_of(program: Program) -> dict[str, torch.Tensor]:
    return {item.name: IntegerGraph(seed=1).values(*item.shape) for item in program.inputs}


@pytest.mark.parametrize("kibibytes", [1, 2])
def test_c_gives_the_bits_of_the_whole_image(kernels: Builds, kibibytes: int) -> None:
    program = decoder()
    banded, inputs = cut(program, kibibytes), inputs_of(program)
    assert len(layout_of(banded).bands) > 100 // kibibytes
    assert not [problem for node, problem in problems(planned(banded)) if node is not None]
    for step in range(2):
        assert torch.equal(reference.run(banded, inputs, step), reference.run(program, inputs, step))
    check(kernels, banded, inputs)


def arena_of(program: Program) -> int:
    memory = layout_of(planned(program, tile=1, rows=1)).memory
    assert memory is not None
    return memory.shared_bytes


def test_the_arena_is_little_more_than_what_norms_have_to_see_whole() -> None:
    program = decoder(size=64)
    largest = 64 * 64 * WIDE * 2
    assert arena_of(program) > 2 * largest
    assert arena_of(cut(program, 8)) < 1.3 * largest


def test_small_images_stay_whole() -> None:
    program = decoder()
    before = [node.name for node in program.graph.graph.nodes]
    after = CutBands().run(program)
    assert [node.name for node in after.graph.graph.nodes] == before
    assert after.report["cut-bands"] == {"sizes": []}


def test_what_has_no_bands_gets_images_in_one_piece(kernels: Builds) -> None:
    """Attention and pools stay as they are; a convolution with groups of positions has those of each band."""
    program: Any = unet_like(size=16)
    banded, inputs = cut(program, 1), inputs_of(program)
    pixels = [node for node in banded.graph.graph.nodes if node.target is dgqc.conv2d_pixel.default]
    assert len(pixels) == 4
    assert {node.name for node in pixels} <= set(layout_of(banded).bands)
    for step in range(3):
        assert torch.equal(reference.run(banded, inputs, step), reference.run(program, inputs, step))
    check(kernels, banded, inputs)
