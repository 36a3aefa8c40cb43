"""What lowering rules know of the program around them: its constants, and the call's row of each table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch_mlir import ir

from ....ir.arithmetic.operands import shape_of
from ....ir.nodes import arguments
from ....ir.ops.wide import NARROW_BITS, WIDE_BITS
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, entry
from ..emission.constants import Constants


@dataclass(frozen=True)
class OpCall:
    """One `dgqc::` op to be lowered.

    node: of the integer graph. named: its arguments by name; values of the graph are tensors of signless
    integers, constants of the graph are torch tensors, all else is as it is.
    """

    node: fx.Node
    named: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.named[name]

    def node_of(self, name: str) -> fx.Node:
        """The node that an argument is."""
        found = arguments(self.node)[name]
        assert isinstance(found, fx.Node)
        return found

    @property
    def width(self) -> int:
        """Bits of the only result, a 16-bit value or a wide one."""
        return WIDE_BITS if self.node.meta["val"].dtype == torch.int32 else NARROW_BITS

    @property
    def result_shape(self) -> tuple[int, ...]:
        """Of the only result."""
        return shape_of(self.node)


@dataclass(frozen=True)
class ModuleBuilder:
    """Emits at the current insertion point. step: the call's index in the schedule."""

    step: Number
    constants: Constants

    def constant(self, value: torch.Tensor, name: str = "table") -> ir.Value:
        """A tensor. name: of one that the graph does not hold."""
        return self.constants.place(value, name)

    def weight(self, call: OpCall) -> ir.Value:
        """A product's weight (N, ..., C) as i8 (N, K): taps and channels are one axis."""
        columns, *sizes = call["weight"].shape
        return self.constants.place_weight(call["weight"].name, (columns, math.prod(sizes)))

    def value(self, call: OpCall, name: str) -> ir.Value:
        """An argument of an op that may be a constant of the graph too."""
        found = call[name]
        return self.constant(found) if isinstance(found, torch.Tensor) else found

    def at_step(self, table: torch.Tensor, *places: Number) -> Number:
        """An entry of the call's row of a table (T, ...)."""
        return entry(self.constant(table), self.step, *places)

    def spread(self, table: torch.Tensor, group: torch.Tensor) -> ir.Value:
        """Each index's entry of the call's row: i32 (n,). table: int32 (T, G). group: uint8 (n,)."""
        index = self.constant(group.to(torch.int32), "group")
        return each([len(group)], 32, [(index, (0,))], lambda g: self.at_step(table, g.to_index()))
