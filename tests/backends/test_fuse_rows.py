"""Streams: each node in one, what they wait for comes first, tiles are nobody else's; and no bit depends on
them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx

from dgqc.backends import reference
from dgqc.backends.c.kernels.value_rows import row_count
from dgqc.backends.c.layout.fuse_rows import FuseRows
from dgqc.backends.c.layout.fusion_groups import FusionGroup
from dgqc.backends.c.layout.plan import layout_of
from dgqc.backends.c.layout.rows import keeps_rows, row_sources
from dgqc.backends.c.layout.thread_buffers import readers
from dgqc.ir.program import Program
from dgqc.ir.views import is_computed, root_of, views_of

from .integer_graph import IntegerGraph
from .kernels import Builds, check
from .unet_like import unet_like

aten, dgqc = torch.ops.aten, torch.ops.dgqc


def check_plan(program: Program) -> list[FusionGroup]:
    """What must hold of any plan."""
    fusion = layout_of(program).fusion
    assert fusion is not None
    groups = list(fusion.groups)
    nodes = {node.name: node for node in program.graph.graph.nodes}
    views = views_of(nodes.values())
    home = {name: place for place, group in enumerate(groups) for name in group.nodes}
    computed = [node.name for node in nodes.values() if is_computed(node, views)]
    assert sorted(name for group in groups for name in group.nodes) == sorted(computed)
    for place, group in enumerate(groups):
        done: set[str] = set()
        for name in group.nodes:
            for source in nodes[name].all_input_nodes:
                root = root_of(source, views)
                if home.get(root) == place:
                    assert root in done
                    assert source in row_sources(nodes[name])
                    assert keeps_rows(source)
                else:
                    assert home.get(root, -1) < place
            done.add(name)
            assert group.block == 0 or row_count(nodes[name]) % group.rows == 0
            assert 0 <= group.block <= group.rows
            outside = {value for value, user in readers(nodes[name], views) if user.name not in group.nodes}
            assert not outside & set(group.inner)
    return groups


def random_graph(data: Any, seed: int) -> tuple[Program, dict[str, torch.Tensor]]:
    """Up to ten ops on values of a few shapes, each reading any that came before."""
    rows, columns = data.draw(st.integers(1, 7)), data.draw(st.sampled_from([1, 2, 6]))
    g = IntegerGraph(seed=seed)
    (x,) = g.take(x=(1, rows, columns))
    values: list[fx.Node] = [x]

    def any_value() -> fx.Node:
        return values[data.draw(st.integers(0, len(values) - 1))]

    def scale() -> tuple[fx.Node, ...]:
        return g.table(2**28, 2**30, g.steps), g.table(28, 32, g.steps)

    def added() -> fx.Node:
        factors = [g.table(2**28, 2**30, g.steps) for _ in "ab"]
        return g.call(dgqc.add.default, any_value(), any_value(), g.step, *factors, g.table(30, 31, g.steps))

    def with_step_row() -> fx.Node:
        row = g.call(
            dgqc.at_step.default, g.table(-99, 99, g.steps, 1, 1, columns, dtype=torch.int16), g.step
        )
        return g.call(dgqc.mul.default, any_value(), row, g.step, *scale())

    def turned() -> fx.Node:
        back = g.call(aten.permute.default, any_value(), [0, 2, 1])
        return g.call(aten.reshape.default, back, [1, rows, columns])

    def reshaped() -> fx.Node:
        flat = g.call(aten.reshape.default, any_value(), [rows * columns])
        return g.call(
            aten.reshape.default, g.call(dgqc.rescale.default, flat, g.step, *scale()), [1, rows, columns]
        )

    def rotated() -> fx.Node:
        value, cut = any_value(), data.draw(st.integers(1, columns))
        parts = [g.call(aten.slice.Tensor, value, 2, *ends) for ends in ((cut, columns), (0, cut))]
        return g.call(aten.cat.default, parts if cut < columns else [value], 2)

    def reordered() -> fx.Node:
        axis = data.draw(st.integers(1, 2))
        order = torch.randperm((1, rows, columns)[axis], generator=g.random)
        return g.call(dgqc.gather.default, any_value(), g.constant(order.to(torch.int32)), axis)

    def rescaled() -> fx.Node:
        return g.call(dgqc.rescale.default, any_value(), g.step, *scale())

    makers = (added, added, rescaled, with_step_row, turned, reshaped, rotated, reordered)
    for _ in range(data.draw(st.integers(1, 10))):
        values.append(data.draw(st.sampled_from(makers))())
    return g.finish(values[-1]), {"x": g.values(1, rows, columns)}


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**31), st.booleans(), st.sampled_from([0, 1, 256]))
def test_any_graph(kernels: Builds, data: Any, seed: int, fuse: bool, tile: int) -> None:
    program, inputs = random_graph(data, seed)
    groups = check_plan(FuseRows(fuse=fuse, tile=tile).run(program))
    assert fuse or all(len(group.nodes) == 1 for group in groups)
    check(kernels, program, inputs, fuse=fuse, tile=tile)


@pytest.mark.parametrize("options", [{}, {"fuse": False}, {"tile": 1, "rows": 1}, {"tile": 4, "rows": 8}])
def test_a_whole_graph(kernels: Builds, options: dict[str, Any]) -> None:
    program = unet_like(2, channels=8, size=7)
    groups = check_plan(FuseRows(**options).run(program))
    assert any(len(group.nodes) > 1 for group in groups) == options.get("fuse", True)
    inputs = {item.name: IntegerGraph(seed=3).values(*item.shape) for item in program.inputs}
    check(kernels, program, inputs, **options)


def chain(between: Any = None) -> tuple[IntegerGraph, list[fx.Node]]:
    """x -> a -> b, and a sum of a and b; `between` makes b of a."""
    g = IntegerGraph()
    (x,) = g.take(x=(1, 40, 16))
    scale = (g.table(2**29, 2**30, g.steps), g.table(30, 31, g.steps))
    a = g.call(dgqc.rescale.default, x, g.step, *scale)
    b = between(g, a) if between else g.call(dgqc.rescale.default, a, g.step, *scale)
    factors = [g.table(2**28, 2**30, g.steps) for _ in "ab"]
    return g, [a, b, g.call(dgqc.add.default, a, b, g.step, *factors, g.table(30, 31, g.steps))]


def test_a_tree_is_one_stream_and_keeps_its_values() -> None:
    g, (a, b, total) = chain()
    (group,) = check_plan(FuseRows().run(g.finish(total)))
    assert group == FusionGroup((a.name, b.name, total.name), 40, 40, (a.name, b.name), parallel=False)


def test_what_waits_for_a_whole_value_stands_apart() -> None:
    """a goes through a permutation that reads it whole, so the sum can't run in a's group."""
    g, (a, b, total) = chain(
        lambda g, a: g.call(aten.reshape.default, g.call(aten.permute.default, a, [0, 2, 1]), [1, 40, 16])
    )
    first, second, third = check_plan(FuseRows().run(g.finish(total)))
    assert (first.nodes, third.nodes) == ((a.name,), (total.name,))
    assert first.inner == second.inner == third.inner == ()
    assert b.name not in second.nodes


def test_blocks_fit_the_tile() -> None:
    """A row of two values of 16 columns takes 64 bytes."""
    g, (*_, total) = chain()
    program = g.finish(total)
    (group,) = check_plan(FuseRows(tile=1).run(program))
    assert group.block == 16
    (group,) = check_plan(FuseRows(tile=0).run(program))
    assert group.block == 1


def test_small_streams_stay_on_one_thread() -> None:
    """Three sums of 640 values."""
    g, (*_, total) = chain()
    program = g.finish(total)
    (group,) = check_plan(FuseRows(parallel=1).run(program))
    assert group.parallel
    (group,) = check_plan(FuseRows(parallel=2).run(program))
    assert not group.parallel


def test_groups_say_something() -> None:
    """The outputs that were compared above are no zeros."""
    g, (*_, total) = chain()
    output = reference.run(g.finish(total), {"x": g.values(1, 40, 16)}, 0)
    assert output.unique().numel() > 100


def test_rows_of_heads_and_of_tokens_share_a_stream(kernels: Builds) -> None:
    """Tokens become heads, heads are quantized and stand in another order, and what they were stays in a
    tile."""
    g = IntegerGraph()
    (x,) = g.take(x=(1, 40, 16))
    scale = (g.table(2**29, 2**30, g.steps), g.table(30, 31, g.steps))
    a = g.call(dgqc.rescale.default, x, g.step, *scale)
    heads = g.call(aten.reshape.default, a, [1, 40, 2, 8])
    b = g.call(dgqc.rescale.default, heads, g.step, *scale)
    turned = g.call(aten.permute.default, b, [0, 2, 1, 3])
    c = g.call(aten.reshape.default, g.call(aten.permute.default, turned, [0, 2, 1, 3]), [1, 40, 16])
    d = g.call(dgqc.rescale.default, c, g.step, *scale)
    program = g.finish(d)
    first, second, third = check_plan(FuseRows(tile=1).run(program))
    assert (first.nodes, first.rows, first.inner) == ((a.name, b.name), 40, (a.name,))
    assert (second.nodes, second.rows) == ((turned.name,), 80)
    assert (third.nodes[-1], third.rows, len(third.inner)) == (d.name, 40, 1)
    check(kernels, program, {"x": g.values(1, 40, 16)}, tile=1)


def test_a_stream_does_not_become_one_row(kernels: Builds) -> None:
    """All values as a single row would leave one block, and one thread."""
    g = IntegerGraph()
    (x,) = g.take(x=(1, 40, 16))
    scale = (g.table(2**29, 2**30, g.steps), g.table(30, 31, g.steps))
    a = g.call(dgqc.rescale.default, x, g.step, *scale)
    b = g.call(dgqc.rescale.default, g.call(aten.reshape.default, a, [1, 640]), g.step, *scale)
    program = g.finish(b)
    assert [group.rows for group in check_plan(FuseRows().run(program))] == [40, 1]
    check(kernels, program, {"x": g.values(1, 40, 16)})
