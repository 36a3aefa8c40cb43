"""What C decided about where and in which order a program runs: its `Program.layout`."""

from __future__ import annotations

from dataclasses import dataclass

from ....ir.program import Program
from ....ir.storage.encoding import storable
from .fusion_groups import FusionPlan
from .memory_plan import MemoryPlan


@storable("c")
@dataclass(frozen=True)
class CLayout:
    """fusion: what runs together. memory: where values lie; None until it is planned. bands: the nodes that
    compute large values part by part."""

    fusion: FusionPlan | None = None
    memory: MemoryPlan | None = None
    bands: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """As text, for `format_graph`."""
        return [line for plan in (self.fusion, self.memory) if plan is not None for line in plan.lines()]


def layout_of(program: Program) -> CLayout:
    """A program's layout for C; an empty one where it has none, or another backend's."""
    return program.layout if isinstance(program.layout, CLayout) else CLayout()
