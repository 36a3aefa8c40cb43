"""GEGLUs: what passes make of them returns the same bits, in the reference and in C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.backends import reference
from dgqc.backends.c.layout.permute_channels import PermuteChannels
from dgqc.backends.c.layout.split_products import SplitProducts
from dgqc.ir.arithmetic.lookup import activation_table, sigmoid
from dgqc.ir.arithmetic.operands import ensure_shapes, value_of
from dgqc.ir.program import Program

from .integer_graph import IntegerGraph
from .kernels import Builds, check

aten, dgqc = torch.ops.aten, torch.ops.dgqc


class Geglu:
    """A GEGLU under construction: a product, whose columns are values and gates, and what its codes feed.

    columns: of each half. bits: of weights. apart: columns between the halves, overlapping if below 0.
    """

    def __init__(
        self, seed: int, rows: int = 3, depth: int = 5, columns: int = 6, bits: int = 8, apart: int = 0
    ) -> None:
        self.g = g = IntegerGraph(seed=seed)
        self.rows, self.columns, self.bits = rows, columns, bits
        (self.x,) = g.take(x=(1, rows, depth))
        self.up = self.linear(self.x, depth, 2 * columns + apart)
        starts = (0, columns + apart)
        self.value, gates = (g.call(aten.slice.Tensor, self.up, 2, at, at + columns) for at in starts)
        place = (g.table(2**13, 2**16 - 1, g.steps), g.table(5, 16, g.steps))
        factor = (g.table(2**28, 2**30, g.steps), g.table(44, 47, g.steps))
        self.gate = g.call(
            dgqc.activation.default,
            gates,
            g.step,
            g.constant(activation_table(sigmoid, 16.0)),
            *place,
            *factor,
        )

    def linear(self, x: fx.Node, depth: int, columns: int) -> fx.Node:
        codes = self.g.quantized(x, depth, 2, 6, 3)
        args = (codes[0], self.g.step, *codes[1:], self.g.weight(self.bits, columns, depth))
        return self.g.call(dgqc.linear.default, *args, *self.g.epilogue(columns))

    def gated(self, value: fx.Node | None = None, by: fx.Node | None = None) -> fx.Node:
        """Values times gates, or something times something."""
        factor = (self.g.table(2**28, 2**29, self.g.steps), self.g.table(40, 44, self.g.steps))
        return self.g.call(dgqc.mul.default, value or self.value, by or self.gate, self.g.step, *factor)

    def finish(self, gated: fx.Node, *others: fx.Node) -> Program:
        """The product of what was gated, beside other values."""
        down = self.linear(gated, self.columns, 4)
        program = self.g.finish(self.g.call(aten.cat.default, [down, *others], 2) if others else down)
        ensure_shapes(program)
        return program


def same_bits(before: Program, after: Program) -> None:
    for step in range(len(before.schedule)):
        inputs = {"x": IntegerGraph(seed=step).values(*before.inputs[0].shape)}
        assert torch.equal(*(reference.run(program, inputs, step) for program in (before, after)))


def geglus(build: Geglu) -> Program:
    return build.finish(build.gated())


def nodes(program: Program, target: object) -> list[Any]:
    return [node for node in program.graph.graph.nodes if node.target is target]


def count(program: Program, target: object) -> int:
    return len(nodes(program, target))


sizes, seeds = st.integers(1, 40), st.integers(0, 2**31)


@given(seeds, st.integers(1, 5), sizes, sizes, st.sampled_from([4, 8]), st.integers(0, 3))
@settings(max_examples=20)
def test_both_halves_become_products(
    kernels: Builds, seed: int, rows: int, depth: int, columns: int, bits: int, apart: int
) -> None:
    shape = (seed, rows, depth, columns, bits, apart)
    before, after = geglus(Geglu(*shape)), SplitProducts().run(geglus(Geglu(*shape)))
    same_bits(before, after)
    assert after.report["split-products"] == {"products": 1, "parts": 2}
    assert count(after, aten.slice.Tensor) == 0
    inputs = {"x": IntegerGraph(seed=seed).values(1, rows, depth)}
    check(kernels, after, inputs)


@pytest.mark.parametrize("reason", ["its parts overlap", "it is read whole"])
def test_a_product_stays_whole_where(reason: str) -> None:
    def program() -> Program:
        build = Geglu(1, apart=-1 if reason == "its parts overlap" else 0)
        others = [build.up] if reason == "it is read whole" else []
        return build.finish(build.gated(), *others)

    before, after = program(), SplitProducts().run(program())
    same_bits(before, after)
    assert after.report["split-products"] == {"products": 0, "parts": 0}
    assert count(before, aten.slice.Tensor) == count(after, aten.slice.Tensor) == 2


def test_rows_of_a_product_are_no_part() -> None:
    def program() -> Program:
        build = Geglu(1)
        row = build.g.call(aten.slice.Tensor, build.linear(build.x, 5, 6), 1, 1, 2)
        return build.finish(build.gated(build.gated(), row))

    before, after = program(), SplitProducts().run(program())
    same_bits(before, after)
    assert after.report["split-products"] == {"products": 1, "parts": 2}
    assert count(after, aten.slice.Tensor) == 1


def test_a_weight_that_others_read_stays_for_them() -> None:
    def program() -> Program:
        build = Geglu(1)
        again = build.g.call(dgqc.linear.default, *build.up.args)
        return build.finish(build.gated(), again)

    before, after = program(), SplitProducts().run(program())
    same_bits(before, after)
    assert after.report["split-products"] == {"products": 1, "parts": 2}


def permuted(program: Program) -> Program:
    return PermuteChannels().run(SplitProducts().run(program))


@given(seeds, st.integers(1, 5), sizes, sizes, st.sampled_from([4, 8]))
@settings(max_examples=20)
def test_columns_come_in_the_order_of_their_readers_groups(
    kernels: Builds, seed: int, rows: int, depth: int, columns: int, bits: int
) -> None:
    shape = (seed, rows, depth, columns, bits)
    before, after = geglus(Geglu(*shape)), permuted(geglus(Geglu(*shape)))
    same_bits(before, after)
    group = value_of(nodes(after, dgqc.quantize.default)[-1].args[5])
    assert len(group.unique_consecutive()) == len(group.unique())
    # What comes from outside is all that is still gathered.
    assert after.report["permute-channels"]["gathers"] == count(after, dgqc.gather.default) <= 1
    assert not gathered(after)
    widths = after.report["weight-bits"]
    assert {widths[str(node.args[6].target)] for node in nodes(after, dgqc.linear.default)} == {bits}
    check(kernels, after, {"x": IntegerGraph(seed=seed).values(1, rows, depth)})


def gathered(program: Program) -> bool:
    """Whether the codes of what was gated are, and not those of the input alone."""
    sources = [node.args[0].args[0] for node in nodes(program, dgqc.gather.default)]
    return any(source.target is dgqc.mul.default for source in sources)


def twice(build: Geglu) -> Program:
    """Values times their own gates, and once more: nobody else reads any of them."""
    return build.finish(build.gated(build.gated(), build.value))


def shared_value(build: Geglu) -> Program:
    return build.finish(build.gated(), build.value)


def shared_result(build: Geglu) -> Program:
    gated = build.gated()
    return build.finish(gated, gated)


def two_quantizers(build: Geglu) -> Program:
    gated = build.gated()
    return build.finish(gated, build.linear(gated, build.columns, 4))


def one_gate_for_all(build: Geglu) -> Program:
    return build.finish(build.gated(build.gated(), build.linear(build.x, 5, 1)))


def a_table(build: Geglu) -> Program:
    rows = build.g.table(-9000, 9000, build.g.steps, 1, 1, build.columns, dtype=torch.int16)
    row = build.g.call(dgqc.at_step.default, rows, build.g.step)
    return build.finish(build.gated(build.gated(), row))


CASES = [(twice, False)] + [
    (case, True) for case in (shared_value, shared_result, two_quantizers, one_gate_for_all, a_table)
]


@pytest.mark.parametrize(("build", "stays"), CASES)
def test_the_gather_stays_where_others_see_the_order(build: Callable[[Geglu], Program], stays: bool) -> None:
    before, after = build(Geglu(3, columns=6)), permuted(build(Geglu(3, columns=6)))
    same_bits(before, after)
    assert gathered(after) == stays
