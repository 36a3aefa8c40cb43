"""Where values lie: in the caller's buffers, among the constants, in the arena."""

from __future__ import annotations

import math
from typing import Any

from torch import fx, ops

from ...ir.errors import DgqcError
from ...ir.program import Program
from ...ir.scratch import shape_of, value_of
from .call import Place, Region
from .tables import Tables


class Memory:
    """The plan of `plan-memory` as pointers."""

    def __init__(self, program: Program, tables: Tables) -> None:
        """Raises DgqcError when the program has no memory plan."""
        plan = program.report.get("plan-memory")
        if plan is None:
            raise DgqcError("The C backend needs a memory plan; run the pass plan-memory as the last one.")
        self._tables = tables
        self._nodes = {node.name: node for node in program.graph.graph.nodes}
        self._offsets: dict[str, int] = {item["name"]: int(item["offset"]) for item in plan["buffers"]}
        self._views = {item["name"]: (str(item["of"]), int(item["offset"])) for item in plan["views"]}
        self._direct_output: str | None = plan["output"]
        self.arena_bytes = int(plan["arena_bytes"])

    def is_view(self, node: fx.Node) -> bool:
        """Whether a value needs no computing: it lies inside another, or is a row of a table."""
        return node.name in self._views or node.target is ops.dgqc.at_step.default

    def at(self, node: fx.Node | Any, offset: int = 0) -> Place:
        """`offset` bytes behind a value's first element. Raises DgqcError when the plan doesn't know it."""
        name, start = self._views.get(node.name, (node.name, 0))
        return self._place(name, start + offset)

    def part(self, node: fx.Node, number: int) -> Place:
        """One of several results of an op."""
        return self._place(f"{node.name}.{number}", 0)

    def scratch(self, node: fx.Node) -> Place | None:
        """An op's scratch memory; None where it has none."""
        name = f"{node.name}.scratch"
        return self._place(name, 0) if name in self._offsets else None

    def _place(self, name: str, offset: int) -> Place:
        if name in self._offsets:
            return Place(Region.ARENA, "arena", self._offsets[name] + offset)
        if name == self._direct_output:
            return Place(Region.OUTPUT, "output", offset)
        node = self._nodes.get(name)
        if node is not None and node.op == "placeholder":
            return Place(Region.INPUT, str(node.target), offset)
        if node is not None and node.op == "get_attr":
            return self._tables.add(value_of(node), offset)
        if node is not None and node.target is ops.dgqc.at_step.default:
            return self._tables.add(value_of(node.args[0]), offset, math.prod(shape_of(node)))
        raise DgqcError(f"The memory plan has no place for {name}; run plan-memory again, as the last pass.")
