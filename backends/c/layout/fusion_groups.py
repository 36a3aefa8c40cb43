"""Fusion groups: what is computed together, block of rows by block of rows.

They are a plan beside the graph, which stays as it is, so no bit can change. The values that only the group's
nodes read live in a thread buffer of a few rows that each thread has for itself, and never in the arena.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....ir.storage.encoding import storable

EIGHT = 8
"""Kernels like whole eights of rows."""


@storable("c")
@dataclass(frozen=True)
class FusionGroup:
    """Nodes that run one after another for a block of rows, then for the next block.

    nodes: names, in the order they run. rows: of the value with the fewest; others have a multiple of these.
    block: most rows of a block; 0 where the one node is computed whole, not by rows. inner: values that live
    in thread buffers (`node`, or `node.2` for the third result of an op). parallel: whether threads share it.
    together: rows that no two blocks part, but for the last.
    """

    nodes: tuple[str, ...]
    rows: int = 0
    block: int = 0
    inner: tuple[str, ...] = ()
    parallel: bool = True
    together: int = EIGHT

    @property
    def line(self) -> str:
        """As text."""
        nodes = " -> ".join(f"%{name}" for name in self.nodes)
        if not self.block:
            return f"{nodes}: whole"
        inner = f", in thread buffers: {', '.join(self.inner)}" if self.inner else ""
        threads = "" if self.parallel else ", on one thread"
        return f"{nodes}: {self.rows} rows, blocks of {self.block}{threads}{inner}"


@storable("c")
@dataclass(frozen=True)
class FusionPlan:
    """All groups in the order they run. Each node that is computed stands in exactly one of them; views,
    inputs, constants and rows of tables stand in none."""

    groups: tuple[FusionGroup, ...]

    def lines(self) -> list[str]:
        """As text."""
        return ["fusion groups:", *(f"  {group.line}" for group in self.groups)]
