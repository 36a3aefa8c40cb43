"""Operands of products: their shapes, their constants, and what their values lie between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ..errors import DgqcError
from ..program import Program
from ..shapes import propagated
from ..tensors import constant
from ..verify.checks import arguments

aten, dgqc = torch.ops.aten, torch.ops.dgqc

_MOVES = (
    aten.reshape.default,
    aten.permute.default,
    aten.slice.Tensor,
    dgqc.gather.default,
    dgqc.upsample_nearest.default,
)


@dataclass(frozen=True)
class Values:
    """What an operand's values, multiple * (code - zero), lie between.

    low, high: int64 (K,) along the summed axis, or (1,) where one bound holds for all of it.
    """

    low: torch.Tensor
    high: torch.Tensor

    @property
    def reach(self) -> torch.Tensor:
        """Largest magnitudes, float64."""
        return torch.maximum(self.low.abs(), self.high.abs()).to(torch.float64)

    @property
    def fit_int16(self) -> bool:
        return int(self.low.amin()) >= -32768 and int(self.high.amax()) <= 32767


def value_of(node: Any) -> torch.Tensor:
    """The tensor behind a `get_attr` node. Raises DgqcError for any other node."""
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        raise DgqcError(f"{node} must be a constant of the integer graph (a get_attr node).")
    owner = node.graph.owning_module
    assert owner is not None
    return constant(owner, str(node.target)).detach()


def ensure_shapes(program: Program) -> None:
    """Sets `node.meta["val"]` on every node of the graph that lacks it."""
    nodes = program.graph.graph.nodes
    if any("val" not in node.meta for node in nodes if node.op != "output"):
        for node, value in propagated(program).items():
            node.meta["val"] = value


def shape_of(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node's value, from `node.meta["val"]`."""
    return tuple(int(size) for size in node.meta["val"].shape)


def code_range(node: fx.Node) -> tuple[int, int]:
    """Smallest and largest code of a product's operand: its quantizer's, where that can be seen."""
    if node.op == "call_function":
        if node.target is dgqc.quantize.default:
            return 0, 2 ** int(arguments(node)["bits"]) - 1
        if node.target in _MOVES:
            return code_range(node.all_input_nodes[0])
    return (0, 255) if node.meta["val"].dtype == torch.uint8 else (-32768, 32767)


def between(codes: tuple[int, int], zero: torch.Tensor, multiple: torch.Tensor) -> Values:
    """Bounds of each group over all steps. zero, multiple: int32 (T, G)."""
    z, m = zero.to(torch.int64), multiple.to(torch.int64)
    return Values((m * (codes[0] - z)).amin(dim=0), (m * (codes[1] - z)).amax(dim=0))


def operand_values(code: fx.Node, zero: Any, multiple: Any, group: Any, axis: int, summed: int) -> Values:
    """Bounds along the summed axis where groups lie along it, else one for all of it. code: the operand's
    node; zero, multiple, group: its tables' nodes."""
    groups = between(code_range(code), value_of(zero), value_of(multiple))
    axes = code.meta["val"].dim()
    if axis % axes == summed % axes:
        index = value_of(group).to(torch.int64)
        return Values(groups.low[index], groups.high[index])
    return Values(groups.low.amin().reshape(1), groups.high.amax().reshape(1))
