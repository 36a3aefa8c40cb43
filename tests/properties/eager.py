"""Lowering rules, run at once: a builder whose new nodes are tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from dgqc.passes.lowering.values import Scaled, Value

from .numbers import STEP


class EagerBuilder:
    """Stands in for `passes.lowering.builder.Builder` with one call; emitted ops run on actual values."""

    def __init__(self) -> None:
        self.calls = 1
        self.step = STEP
        self.values: dict[fx.Node, Value] = {}
        self.weight_bits: dict[str, int] = {}
        self.old = fx.Graph()
        self.scales: dict[fx.Node, torch.Tensor] = {}
        self.constants: dict[fx.Node, torch.Tensor] = {}

    def input(self, value: Value, *shape: int) -> fx.Node:
        """An old node that has become this value."""
        node = self.old.placeholder(f"input_{len(self.values)}")
        node.meta["val"] = torch.empty(shape)
        self.values[node] = value
        return node

    def scaled_input(self, codes: torch.Tensor, scale: float) -> fx.Node:
        return self.input(Scaled(codes, torch.tensor([scale], dtype=torch.float64)), *codes.shape)

    def float_constant(self, value: torch.Tensor) -> fx.Node:
        """A float constant of the old graph."""
        node = self.old.get_attr(f"constant_{len(self.constants)}")
        self.constants[node] = value
        return node

    def op(
        self, target: Callable[..., Any], args: tuple[Any, ...], shape: tuple[int, ...], scale: float = 1.0
    ) -> fx.Node:
        """An old call to lower; scale is that of the glue site behind it."""
        node = self.old.call_function(target, args)
        node.meta["val"] = torch.empty(shape)
        self.scales[node] = torch.tensor([scale], dtype=torch.float64)
        return node

    def call(self, target: Callable[..., Any], args: tuple[Any, ...], like: Any, name: str = "") -> Any:
        return target(*args)

    def constant(self, name: str, value: torch.Tensor) -> torch.Tensor:
        return value

    def table(self, name: str, value: torch.Tensor) -> torch.Tensor:
        return value.to(torch.int32)

    def scaled(self, node: fx.Node) -> Scaled:
        value = self.values[node]
        assert isinstance(value, Scaled)
        return value

    def output_scale(self, node: fx.Node) -> torch.Tensor:
        return self.scales[node]

    def weight(self, node: fx.Node) -> torch.Tensor:
        return self.constants[node]
