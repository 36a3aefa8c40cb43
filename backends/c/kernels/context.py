"""What a rule may know besides its node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx

from ....ir.arithmetic.operands import value_of
from ..emission.constants import ConstantBlock
from ..emission.places import Places
from .kernel_call import ROWS, STEP, Argument, KernelCall, Place, Struct
from .value_rows import part, value_bytes


@dataclass(frozen=True)
class EmissionContext:
    """What rules need besides their node.

    weight_bits: width of weight constants by `get_attr` target. group_rows: of the fusion group that the node
    is in.
    """

    places: Places
    constants: ConstantBlock
    weight_bits: dict[str, int]
    group_rows: int = 1

    def table(self, node: Any) -> Place:
        """A constant of the graph."""
        return self.constants.add(value_of(node))

    def named(self, a: dict[str, Any], *names: str) -> dict[str, Place]:
        """Several constants by their argument names."""
        return {name: self.table(a[name]) for name in names}

    def group(self, group: Any) -> Place | None:
        """None where all indices are of the first group, which a kernel reads as such."""
        return self.table(group) if bool(value_of(group).any()) else None

    def rows(self, node: Any, number: int | None = None) -> Place:
        """A value at the rows of a block; one of them where an op has several results."""
        place = self.places.at(node) if number is None else self.places.part(node, number)
        return place.by_rows(value_bytes(part(node, number or 0)) // self.group_rows)

    def by_rows(
        self, kernel: str, node: fx.Node, parameters: Struct, sources: tuple[Place, ...], *, kind: str = "",
        whole: tuple[Place, ...] = (),
    ) -> KernelCall:  # fmt: skip
        """The calls of a kernel that is run by rows, and takes the step.

        sources: what `dgqc_KERNEL_rows` reads. whole: what `dgqc_KERNEL_prepare` reads.
        """
        shared, scratch = self.places.shared(node), self.places.scratch(node)
        value = node.meta["val"]
        count = len(value) if isinstance(value, list | tuple) else None
        results = [self.rows(node)] if count is None else [self.rows(node, i) for i in range(count)]
        memory = [place for place in (shared, scratch) if place is not None]
        prepare: tuple[Argument, ...] | None = (STEP, *whole, shared) if shared is not None else None
        return KernelCall(kernel, (STEP, ROWS, *sources, *results, *memory), parameters, kind, True, prepare)

    def pointers(self, node: fx.Node, *sources: Any) -> tuple[Argument, ...]:
        """What most kernels that compute a whole value take: step, sources, result, and scratch memory where
        the op has any."""
        scratch = self.places.scratch(node)
        places = (*(self.places.at(source) for source in sources), self.places.at(node))
        return (STEP, *places, scratch) if scratch else (STEP, *places)
