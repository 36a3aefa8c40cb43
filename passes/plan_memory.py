"""`plan-memory`: where each value of the integer graph lies in the one arena."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import fx

from ..ir.checks import arguments
from ..ir.level import Level
from ..ir.program import Program
from ..ir.scratch import ALIGNMENT, ensure_shapes, scratch_bytes
from .base import Pass
from .registry import register_pass

aten, dgqc = torch.ops.aten, torch.ops.dgqc


@dataclass(frozen=True)
class Buffer:
    """Memory that lives from one node to another.

    name: the node's name; `node.scratch` for scratch memory, `node.2` for the third result of an op.
    first, last: places in the graph of the node that writes it and of the last that reads it.
    """

    name: str
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class View:
    """A value that lies inside another: `offset` bytes into `of`."""

    of: str
    offset: int


@dataclass
class Layout:
    """What a graph asks for. views: node name to the value it lies inside, roots left out."""

    buffers: list[Buffer] = field(default_factory=list)
    views: dict[str, View] = field(default_factory=dict)


@register_pass
@dataclass(frozen=True)
class PlanMemory(Pass):
    """Packs all intermediate values and scratch memory into one arena; reshapes and leading slices are free.

    The report `plan-memory` has `arena_bytes`; `buffers` with name, bytes, offset, first and last; `views`
    with name, of and offset in bytes; and `output`, the value that is written straight into the caller's
    output, or null where the output must be copied there.
    """

    name: ClassVar[str] = "plan-memory"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    provides: ClassVar[frozenset[str]] = frozenset({"memory-plan"})

    def run(self, program: Program) -> Program:
        ensure_shapes(program)
        layout = lay_out(program.graph)
        output = direct_output(program.graph, layout)
        buffers = [buffer for buffer in layout.buffers if buffer.name != output]
        offsets = pack(buffers)
        entries = [
            {"name": b.name, "bytes": b.bytes, "offset": o, "first": b.first, "last": b.last}
            for b, o in zip(buffers, offsets, strict=True)
        ]
        size = max((o + aligned(b.bytes) for b, o in zip(buffers, offsets, strict=True)), default=0)
        views = [{"name": n, "of": v.of, "offset": v.offset} for n, v in layout.views.items()]
        return program.with_report(
            "plan-memory", {"arena_bytes": size, "buffers": entries, "views": views, "output": output}
        )


def aligned(size: int) -> int:
    """Rounded up to the alignment of buffers."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def bytes_of(value: torch.Tensor) -> int:
    return math.prod(value.shape) * value.element_size()


def lay_out(graph: fx.GraphModule) -> Layout:
    """Every buffer with its life, and every view."""
    nodes = list(graph.graph.nodes)
    layout, last = Layout(), {}
    for place, node in enumerate(nodes):
        view = view_of(node)
        if view is not None:
            # A view of a view lies inside the same root.
            root = layout.views.get(view.of)
            layout.views[node.name] = View(root.of, root.offset + view.offset) if root else view
        for source in node.all_input_nodes:
            last[layout.views[source.name].of if source.name in layout.views else source.name] = place
    for place, node in enumerate(nodes):
        if node.op != "call_function" or node.name in layout.views or node.target is dgqc.at_step.default:
            continue
        value = node.meta["val"]
        parts = [(node.name, value)]
        if isinstance(value, tuple):
            parts = [(f"{node.name}.{number}", part) for number, part in enumerate(value)]
        for name, part in parts:
            layout.buffers.append(Buffer(name, bytes_of(part), place, last.get(name, place)))
        if scratch := scratch_bytes(node):
            layout.buffers.append(Buffer(f"{node.name}.scratch", scratch, place, place))
    return layout


def view_of(node: fx.Node) -> View | None:
    """Where a node's value lies inside that of its first argument, or None where it must be computed."""
    if node.op != "call_function" or not node.all_input_nodes:
        return None
    source = node.all_input_nodes[0]
    if node.target is operator.getitem:
        return View(f"{source.name}.{node.args[1]}", 0)
    if node.target is aten.reshape.default:
        return View(source.name, 0)
    if node.target is aten.permute.default and keeps_order(tuple(source.meta["val"].shape), node.args[1]):
        return View(source.name, 0)
    if node.target is aten.slice.Tensor:
        dimension, start, step = slice_bounds(node)
        shape = tuple(source.meta["val"].shape)
        # Contiguous where everything before the sliced axis has size 1.
        if math.prod(shape[:dimension]) == 1 and step == 1:
            return View(
                source.name, start * math.prod(shape[dimension + 1 :]) * source.meta["val"].element_size()
            )
    return None


def keeps_order(shape: tuple[int, ...], order: Any) -> bool:
    """Whether a permutation only moves axes of size 1."""
    kept = [axis % len(shape) for axis in order if shape[axis] != 1]
    return kept == sorted(kept)


def slice_bounds(node: fx.Node) -> tuple[int, int, int]:
    """Axis, start and step of `aten.slice.Tensor`, none of them negative."""
    a = arguments(node)
    shape = tuple(a["self"].meta["val"].shape)
    axis = int(a["dim"]) % len(shape)
    return axis, slice(a["start"], a["end"]).indices(shape[axis])[0], int(a["step"])


def direct_output(graph: fx.GraphModule, layout: Layout) -> str | None:
    """The buffer that can be the caller's output itself: the whole of it is the result."""
    output = next(node for node in graph.graph.nodes if node.op == "output").args[0]
    view = layout.views.get(output.name, View(output.name, 0))
    buffer = next((b for b in layout.buffers if b.name == view.of), None)
    fits = buffer is not None and view.offset == 0 and buffer.bytes == bytes_of(output.meta["val"])
    return view.of if fits else None


def pack(buffers: Iterable[Buffer]) -> list[int]:
    """An offset for each buffer so that no two that live at the same time overlap: largest first, each at the
    lowest place that is free for its whole life."""
    chosen = list(buffers)
    offsets = [0] * len(chosen)
    placed: list[int] = []
    for index in sorted(range(len(chosen)), key=lambda i: (-chosen[i].bytes, chosen[i].first)):
        buffer, offset = chosen[index], 0
        rivals = [i for i in placed if chosen[i].first <= buffer.last and buffer.first <= chosen[i].last]
        for start, end in sorted((offsets[i], offsets[i] + aligned(chosen[i].bytes)) for i in rivals):
            if offset + aligned(buffer.bytes) <= start:
                break
            offset = max(offset, end)
        offsets[index] = offset
        placed.append(index)
    return offsets


def lower_bound(buffers: Iterable[Buffer]) -> int:
    """The most bytes that live at one time: no arena can be smaller."""
    chosen = list(buffers)
    places = {buffer.first for buffer in chosen}
    return max(
        (sum(aligned(b.bytes) for b in chosen if b.first <= place <= b.last) for place in places), default=0
    )
