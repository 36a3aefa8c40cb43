"""Lowering rules, run at once: a builder whose new nodes are tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from dgqc.ir.plans import QuantizedActivation16
from dgqc.passes.lowering.builder import IntegerGraphBuilder
from dgqc.passes.lowering.layout import Layout, plain
from dgqc.passes.lowering.values import LoweredValue, Scaled

from .numbers import STEP


class EagerBuilder(IntegerGraphBuilder):
    """A builder with one call whose emitted ops run on actual values."""

    def __init__(self) -> None:
        self.calls = 1
        self.step = STEP  # type: ignore[assignment]
        self.values: dict[fx.Node, LoweredValue] = {}
        self.weight_bits: dict[str, int] = {}
        self._moved = {}
        self.old = fx.Graph()
        self.plans: dict[fx.Node, QuantizedActivation16] = {}
        self.constants: dict[fx.Node, torch.Tensor] = {}

    def input(self, value: LoweredValue, *shape: int) -> fx.Node:
        """An old node that has become this value."""
        node = self.old.placeholder(f"input_{len(self.values)}")
        node.meta["val"] = torch.empty(shape)
        self.values[node] = value
        return node

    def scaled_input(
        self, codes: torch.Tensor, scale: float, exponent: torch.Tensor | None = None, wide: bool = False
    ) -> fx.Node:
        """exponent: broadcasts to the codes. wide: whether these have 20 bits."""
        scales = torch.tensor([scale], dtype=torch.float64)
        value = Scaled(codes, scales, Layout.plain(codes.shape), exponent, wide)  # type: ignore[arg-type]
        return self.input(value, *codes.shape)

    def float_constant(self, value: torch.Tensor) -> fx.Node:
        """A float constant of the old graph."""
        node = self.old.get_attr(f"constant_{len(self.constants)}")
        self.constants[node] = value
        return node

    def op(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...],
        shape: tuple[int, ...],
        scale: float = 1.0,
        exponent: torch.Tensor | None = None,
        wide: bool = False,
    ) -> fx.Node:
        """An old call to lower; scale, exponent and width are those of the 16-bit site behind it."""
        node = self.old.call_function(target, args)
        node.meta["val"] = torch.empty(shape)
        self.plans[node] = QuantizedActivation16(torch.tensor([scale], dtype=torch.float64), exponent, wide)
        return node

    def call(self, target: Callable[..., Any], args: tuple[Any, ...], like: Any, name: str = "") -> Any:
        return target(*args)

    def constant(self, name: str, value: torch.Tensor) -> Any:
        return value

    def table(self, name: str, value: torch.Tensor) -> Any:
        return value.to(torch.int32)

    def output_plan(self, node: fx.Node) -> QuantizedActivation16:
        return self.plans[node]

    def weight(self, node: fx.Node | Any) -> torch.Tensor:
        return self.constants[node]


def found(builder: EagerBuilder, value: LoweredValue) -> torch.Tensor:
    """The integers of a lowered value, by the captured graph's axes."""
    assert isinstance(value, Scaled)
    rank = len(value.layout.shape)
    integers = builder.arranged(value, plain(rank), builder.old.placeholder("result")).node
    assert isinstance(integers, torch.Tensor)
    assert tuple(integers.shape) == value.layout.shape
    return integers
