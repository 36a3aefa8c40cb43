"""No two values that live at once overlap, memory is used again, views cost nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.backends.c.layout.memory_plan import Buffer, MemoryPlan, aligned
from dgqc.backends.c.layout.packing import lower_bound, pack, size_of
from dgqc.backends.c.layout.plan import layout_of
from dgqc.backends.c.layout.plan_memory import PlanMemory
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program

from .integer_graph import IntegerGraph
from .kernels import planned
from .unet_like import unet_like

lives = st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 12))
lists = st.lists(lives.map(lambda item: Buffer("", item[0], item[1], item[1] + item[2])), max_size=40)


def overlaps(buffers: list[Buffer]) -> bool:
    spans = [(b.offset, b.end, b.first, b.last) for b in buffers if b.bytes]
    return any(
        a[0] < b[1] and b[0] < a[1] and a[2] <= b[3] and b[2] <= a[3]
        for place, a in enumerate(spans)
        for b in spans[:place]
    )


def plan_of(program: Program) -> MemoryPlan:
    memory = layout_of(program).memory
    assert memory is not None
    return memory


@settings(max_examples=200, deadline=None)
@given(lists)
def test_packing(buffers: list[Buffer]) -> None:
    packed = pack(buffers)
    assert not overlaps(packed)
    assert [(b.bytes, b.first, b.last) for b in packed] == [(b.bytes, b.first, b.last) for b in buffers]
    assert all(buffer.offset % 64 == 0 for buffer in packed)
    assert lower_bound(buffers) <= size_of(packed) <= sum(aligned(b.bytes) for b in buffers)


def test_a_chain_uses_two_buffers_again_and_again() -> None:
    packed = pack(Buffer(str(i), 1000, i, i + 1) for i in range(20))
    assert not overlaps(packed)
    assert {buffer.offset for buffer in packed} == {0, 1024}


@pytest.mark.parametrize("tile", [1, 256])
def test_plan_of_a_graph(tile: int) -> None:
    program = planned(unet_like(size=12), tile=tile, rows=1)
    plan = plan_of(program)
    fusion = layout_of(program).fusion
    assert fusion is not None
    assert not overlaps(list(plan.buffers))
    assert lower_bound(plan.buffers) <= plan.shared_bytes < sum(b.bytes for b in plan.buffers) / 2
    names = {buffer.name for buffer in plan.buffers}
    assert plan.output == "permute_default_5" not in names
    assert not names & {view.name for view in plan.views}
    for group in fusion.groups:
        owned = {*group.inner, *(f"{name}.scratch" for name in group.nodes)}
        tiles = [buffer for buffer in plan.thread_buffers if buffer.name in owned]
        assert not overlaps(tiles)
        assert size_of(tiles) <= plan.thread_bytes
        assert not names & set(group.inner)


def test_prepared_memory_lives_for_its_group_alone() -> None:
    program = planned(unet_like())
    fusion = layout_of(program).fusion
    assert fusion is not None
    homes = {name: place for place, s in enumerate(fusion.groups) for name in s.nodes}

    def home(buffer: Buffer) -> int:
        return homes[buffer.name.removesuffix(".shared")]

    prepared = [b for b in plan_of(program).buffers if b.name.endswith(".shared")]
    assert prepared
    assert all((b.first, b.last) == (2 * home(b), 2 * home(b) + 1) for b in prepared)


def test_what_only_preparing_kernels_read_makes_room() -> None:
    """A convolution's image is copied into one with a halo; its sums may lie where it was."""
    program = planned(unet_like(), fuse=False)
    nodes = {node.name: node for node in program.graph.graph.nodes}
    images = {n.args[0].name: n.name for n in nodes.values() if "conv2d" in n.name and n.args[0].users}
    buffers = {buffer.name: buffer for buffer in plan_of(program).buffers}
    met = [(buffers[image], buffers[sums]) for image, sums in images.items() if sums in buffers]
    assert met
    assert any(image.last < sums.first for image, sums in met)


def test_threads_have_memory_of_their_own() -> None:
    plan = plan_of(planned(unet_like()))
    assert plan.thread_bytes > 0
    assert plan.arena_bytes(3) == plan.shared_bytes + 3 * plan.thread_bytes


def test_wants_fusion_groups() -> None:
    with pytest.raises(DgqcError, match="run fuse-rows before it"):
        PlanMemory().run(unet_like())


def test_a_view_keeps_its_root_alive() -> None:
    graph = IntegerGraph()
    (x,) = graph.take(x=(1, 4, 4))
    tables = (graph.table(2**30, 2**31 - 1, 2), graph.table(30, 31, 2))
    dgqc, aten = torch.ops.dgqc, torch.ops.aten
    first = graph.call(dgqc.rescale.default, x, graph.step, *tables)
    view = graph.call(aten.reshape.default, graph.call(aten.slice.Tensor, first, 1, 2, 4), [8])
    second = graph.call(dgqc.rescale.default, x, graph.step, *tables)
    third = graph.call(aten.cat.default, [view, graph.call(aten.reshape.default, second, [16])], 0)
    plan = plan_of(planned(graph.finish(third), fuse=False))
    views = {v.name: (v.of, v.offset) for v in plan.views}
    assert views[view.name] == (first.name, 16)
    places = {b.name: b for b in plan.buffers}
    assert places[first.name].offset != places[second.name].offset
