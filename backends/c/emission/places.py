"""Where values lie: in the caller's buffers, among the constants, in the arena."""

from __future__ import annotations

import math
from typing import Any

from torch import fx, ops

from ....ir.arithmetic.operands import shape_of, value_of
from ....ir.errors import DgqcError
from ....ir.program import Program
from ..kernels.kernel_call import MemoryRegion, Place
from ..layout.memory_plan import CACHE, MemoryPlan
from ..layout.plan import layout_of
from .constants import ConstantBlock

ARENA, THREAD_MEMORY, OUTPUT = "run->arena", "per_thread", "run->output"
"""The emitted names of the memory that all threads share, of the thread's part, and of the result."""
CACHE_MEMORY = "run->cache"
"""And of what outlives a call."""


class Places:
    """The plan of `plan-memory` as pointers."""

    def __init__(self, program: Program, constants: ConstantBlock) -> None:
        """Raises DgqcError when the program has no memory plan."""
        memory = layout_of(program).memory
        if memory is None:
            raise DgqcError("The C backend needs a memory plan; run the pass plan-memory as the last one.")
        self.plan: MemoryPlan = memory
        self._constants = constants
        self._nodes = {node.name: node for node in program.graph.graph.nodes}
        self._views = {view.name: view for view in self.plan.views}
        self._places = {
            **{b.name: Place(MemoryRegion.ARENA, ARENA, b.offset) for b in self.plan.buffers},
            **{b.name: Place(MemoryRegion.THREAD, THREAD_MEMORY, b.offset) for b in self.plan.thread_buffers},
        }
        if self.plan.cache is not None:
            self._places[self.plan.cache.name] = Place(MemoryRegion.CACHE, CACHE_MEMORY)
        if self.plan.output is not None:
            self._places[self.plan.output] = Place(MemoryRegion.OUTPUT, OUTPUT)

    def is_view(self, node: fx.Node) -> bool:
        """Whether a value needs no computing: it lies inside another, or is a row of a table."""
        return node.name in self._views or node.target is ops.dgqc.at_step.default

    def at(self, node: fx.Node | Any, offset: int = 0) -> Place:
        """`offset` bytes after a value's first element. Raises DgqcError when the plan doesn't know it."""
        view = self._views.get(node.name)
        return self._place(view.of, view.offset + offset) if view else self._place(node.name, offset)

    def part(self, node: fx.Node, number: int) -> Place:
        """One of several results of an op."""
        return self._place(f"{node.name}.{number}", 0)

    def shared(self, node: fx.Node) -> Place | None:
        """What an op's kernel prepares; None where it prepares nothing."""
        return self._places.get(f"{node.name}.shared")

    def lasting(self, node: fx.Node) -> Place:
        """What an op keeps from call to call."""
        return self._place(f"{node.name}{CACHE}", 0)

    def scratch(self, node: fx.Node) -> Place | None:
        """An op's scratch memory; None where it has none."""
        return self._places.get(f"{node.name}.scratch")

    def _place(self, name: str, offset: int) -> Place:
        if name in self._places:
            place = self._places[name]
            return Place(place.region, place.base, place.offset + offset)
        node = self._nodes.get(name)
        if node is not None and node.op == "placeholder":
            return Place(MemoryRegion.INPUT, f"run->{node.target}", offset)
        if node is not None and node.op == "get_attr":
            return self._constants.add(value_of(node), offset)
        if node is not None and node.target is ops.dgqc.at_step.default:
            table = value_of(node.args[0])
            return self._constants.add(table, offset, math.prod(shape_of(node)) * table.element_size())
        raise DgqcError(f"The memory plan has no place for {name}; run plan-memory again, as the last pass.")
