"""What a rule may know besides its node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx

from ...ir.scratch import value_of
from .call import STEP, Argument, Place
from .memory import Memory
from .tables import Tables


@dataclass(frozen=True)
class Scope:
    """What rules need besides their node. weight_bits: width of weight constants by `get_attr` target."""

    memory: Memory
    tables: Tables
    weight_bits: dict[str, int]

    def table(self, node: Any) -> Place:
        """A constant of the graph."""
        return self.tables.add(value_of(node))

    def named(self, a: dict[str, Any], *names: str) -> dict[str, Place]:
        """Several constants by their argument names."""
        return {name: self.table(a[name]) for name in names}

    def group(self, group: Any) -> Place | None:
        """None where all indices are of the first group, which a kernel reads as such."""
        return self.table(group) if bool(value_of(group).any()) else None

    def pointers(self, node: fx.Node, *sources: Any) -> tuple[Argument, ...]:
        """What most kernels take: step, sources, result, and scratch memory where the op has any."""
        scratch = self.memory.scratch(node)
        places = (*(self.memory.at(source) for source in sources), self.memory.at(node))
        return (STEP, *places, scratch) if scratch else (STEP, *places)
