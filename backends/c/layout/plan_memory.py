"""`plan-memory`: where each value of the integer graph lies in the one arena."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ....ir.arithmetic.operands import ensure_shapes
from ....ir.errors import DgqcError
from ....ir.level import Level
from ....ir.program import Program
from ....ir.views import View, root_of, views_of
from ....passes.base import Pass
from ....passes.manager.registry import register_pass
from ..kernels.registry import lasting_bytes, scratch_bytes, shared_bytes
from ..kernels.value_rows import value_bytes
from .fusion_groups import FusionGroup
from .memory_plan import CACHE, MOMENTS, Buffer, MemoryPlan, group_at
from .packing import alive_at, pack, size_of
from .plan import layout_of
from .rows import read_while_preparing
from .thread_buffers import readers, results, thread_buffers


@register_pass
@dataclass(frozen=True)
class PlanMemory(Pass):
    """Packs values that fusion groups hand on, and what kernels prepare, into one arena; reshapes and leading
    slices are free. What is read only by kernels that prepare, such as a convolution's image, makes room for
    what their group computes. After it each thread has a part of its own, with the buffers of the group that
    runs and its kernels' scratch memory.

    The report `plan-memory` has the sizes of an arena for one thread, the group in which most of it is in
    use, and the map: every buffer with name, bytes, offset, and the groups that write it first and read it
    last.
    """

    name: ClassVar[str] = "plan-memory"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"fusion-groups"})
    provides: ClassVar[frozenset[str]] = frozenset({"memory-plan"})

    def run(self, program: Program) -> Program:
        fusion = layout_of(program).fusion
        if fusion is None:
            raise DgqcError("plan-memory plans the memory of fusion groups; run fuse-rows before it.")
        ensure_shapes(program)
        nodes = {node.name: node for node in program.graph.graph.nodes}
        views = views_of(nodes.values())
        groups = [[nodes[name] for name in group.nodes] for group in fusion.groups]
        buffers, inner = list[Buffer](), list[Buffer]()
        places = {node.name: place for place, group in enumerate(groups) for node in group}
        for place, (plan, group) in enumerate(zip(fusion.groups, groups, strict=True)):
            buffers += _shared(place, plan, group, places, views)
            # A cache lasts from call to call.
            ends = (0, len(groups) * MOMENTS)
            buffers += (Buffer(f"{n.name}{CACHE}", size, *ends) for n in group if (size := lasting_bytes(n)))
            if plan.block:
                inner += thread_buffers(group, plan.inner, plan.block, views)
        output = direct_output(nodes, buffers, views)
        packed = pack(buffer for buffer in buffers if buffer.name != output)
        memory = MemoryPlan(
            size_of(packed), size_of(inner), tuple(packed), tuple(inner), tuple(views.values()), output
        )
        layout = replace(layout_of(program), memory=memory)
        return replace(program, layout=layout).with_report(self.name, report_of(memory))


def _shared(
    place: int, plan: FusionGroup, group: list[fx.Node], places: dict[str, int], views: dict[str, View]
) -> Iterator[Buffer]:
    """What a group needs of the part that all threads share."""
    begin, end = place * MOMENTS, place * MOMENTS + 1
    for node in group:
        last: dict[str, int] = {}
        for name, reader in readers(node, views):
            last[name] = max(last.get(name, end), _read(node, reader, places, views))
        for name, value in results(node):
            if name not in plan.inner:
                # What isn't computed by rows is computed beside what prepares.
                yield Buffer(name, value_bytes(value), end if plan.block else begin, last.get(name, end))
        if prepared := shared_bytes(node):
            yield Buffer(f"{node.name}.shared", prepared, begin, end)
        # A kernel that isn't run by rows runs once, not once in each thread.
        if not plan.block and (scratch := scratch_bytes(node, 0)):
            yield Buffer(f"{node.name}.scratch", scratch, begin, end)


def _read(node: fx.Node, reader: fx.Node, places: dict[str, int], views: dict[str, View]) -> int:
    """The moment when a node's value is last needed by one of its readers."""
    group = places.get(reader.name)
    if group is None:
        return len(places) * MOMENTS
    early = {root_of(source, views) for source in read_while_preparing(reader)}
    return group * MOMENTS + (node.name not in early)


def direct_output(nodes: dict[str, fx.Node], buffers: list[Buffer], views: dict[str, View]) -> str | None:
    """The buffer that can be the caller's output itself: the whole of it is the result."""
    output = next(node for node in nodes.values() if node.op == "output").args[0]
    assert isinstance(output, fx.Node)
    view = views.get(output.name, View(output.name, output.name, 0))
    buffer = next((b for b in buffers if b.name == view.of), None)
    fits = buffer is not None and view.offset == 0 and buffer.bytes == value_bytes(output.meta["val"])
    return view.of if fits else None


def report_of(plan: MemoryPlan) -> dict[str, object]:
    """The plan as JSON for `dgqc report`, largest buffers first."""
    entries = [
        {
            "name": b.name,
            "bytes": b.bytes,
            "offset": b.offset,
            "first": group_at(b.first),
            "last": group_at(b.last),
        }
        for b in sorted(plan.buffers, key=lambda b: (-b.bytes, b.first, b.name))
    ]
    alive = {place: alive_at(plan.buffers, place) for place in {buffer.first for buffer in plan.buffers}}
    busiest = max(sorted(alive), key=lambda place: alive[place], default=0)
    return {
        "arena_bytes": plan.arena_bytes(1),
        "shared_bytes": plan.shared_bytes,
        "thread_bytes": plan.thread_bytes,
        "peak": {"group": group_at(busiest), "bytes": alive.get(busiest, 0)},
        "buffers": entries,
        "output": plan.output,
    }
