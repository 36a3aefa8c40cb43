"""No two values that live at once overlap, memory is used again, views cost nothing."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.passes.plan_memory import Buffer, PlanMemory, aligned, lower_bound, pack

from .integer_graph import IntegerGraph
from .unet_like import unet_like

lives = st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 12))
lists = st.lists(lives.map(lambda item: Buffer("", item[0], item[1], item[1] + item[2])), max_size=40)


def overlaps(buffers: list[Buffer], offsets: list[int]) -> bool:
    spans = [
        (o, o + aligned(b.bytes), b.first, b.last) for b, o in zip(buffers, offsets, strict=True) if b.bytes
    ]
    return any(
        a[0] < b[1] and b[0] < a[1] and a[2] <= b[3] and b[2] <= a[3]
        for place, a in enumerate(spans)
        for b in spans[:place]
    )


@settings(max_examples=200, deadline=None)
@given(lists)
def test_packing(buffers: list[Buffer]) -> None:
    offsets = pack(buffers)
    assert not overlaps(buffers, offsets)
    assert all(offset % 64 == 0 for offset in offsets)
    size = max((o + aligned(b.bytes) for b, o in zip(buffers, offsets, strict=True)), default=0)
    assert lower_bound(buffers) <= size <= sum(aligned(b.bytes) for b in buffers)


def test_a_chain_uses_two_buffers_again_and_again() -> None:
    buffers = [Buffer(str(i), 1000, i, i + 1) for i in range(20)]
    offsets = pack(buffers)
    assert not overlaps(buffers, offsets)
    assert set(offsets) == {0, 1024}


def test_plan_of_a_graph() -> None:
    plan = PlanMemory().run(unet_like(size=12)).report["plan-memory"]
    buffers = [Buffer(b["name"], b["bytes"], b["first"], b["last"]) for b in plan["buffers"]]
    assert not overlaps(buffers, [b["offset"] for b in plan["buffers"]])
    assert lower_bound(buffers) <= plan["arena_bytes"] < sum(b.bytes for b in buffers) / 2
    names = {b["name"] for b in plan["buffers"]}
    assert plan["output"] == "permute_default_5" not in names
    assert all(view["name"] not in names for view in plan["views"])


def test_a_view_keeps_its_root_alive() -> None:
    graph = IntegerGraph()
    (x,) = graph.take(x=(1, 4, 4))
    tables = (graph.table(2**30, 2**31 - 1, 2), graph.table(30, 31, 2))
    dgqc, aten = torch.ops.dgqc, torch.ops.aten
    first = graph.call(dgqc.rescale.default, x, graph.step, *tables)
    view = graph.call(aten.reshape.default, graph.call(aten.slice.Tensor, first, 1, 2, 4), [8])
    second = graph.call(dgqc.rescale.default, x, graph.step, *tables)
    third = graph.call(aten.cat.default, [view, graph.call(aten.reshape.default, second, [16])], 0)
    plan = PlanMemory().run(graph.finish(third)).report["plan-memory"]
    views = {v["name"]: (v["of"], v["offset"]) for v in plan["views"]}
    assert views[view.name] == (first.name, 16)
    places = {b["name"]: b for b in plan["buffers"]}
    assert places[first.name]["offset"] != places[second.name]["offset"]
