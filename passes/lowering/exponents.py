"""Values whose channels have scales of their own: what is asked for, and how they pass through views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx

from ...ir.ops.captured import channel_axis
from ...ir.ops.wide import FINER, NARROW_BITS, WIDE_BITS
from ...ir.plans import QuantizedActivation16, ratios
from ...ir.tensors import compressed
from ..graph.edit import shape
from .builder import IntegerGraphBuilder


def wanted_scale(builder: IntegerGraphBuilder, node: fx.Node) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The scale and the exponents that the site downstream of a node gives it, as `Scaled` has them."""
    plan = builder.output_plan(node)
    if plan.exponent is None:
        return plan.scale, None
    sizes = [1] * len(shape(node))
    sizes[channel_axis(node)] = -1
    return plan.scale, plan.exponent.reshape(sizes)


@dataclass(frozen=True)
class Wanted:
    """What a site asks of an op that can give wide values.

    scale: float64 (T,), of one step of what the op gives; exponent: as `Scaled` has it. width: its bits.
    """

    scale: torch.Tensor
    exponent: torch.Tensor | None
    width: int

    @property
    def wide(self) -> bool:
        """Whether the value is wide."""
        return self.width == WIDE_BITS

    @property
    def arguments(self) -> tuple[int, ...]:
        """The op's last argument, nothing where it is the default."""
        return (self.width,) if self.wide else ()


def wanted_value(builder: IntegerGraphBuilder, node: fx.Node) -> Wanted:
    """The same as `wanted_scale`, with the width."""
    scale, exponent = wanted_scale(builder, node)
    if builder.output_plan(node).wide:
        return Wanted(scale / FINER, exponent, WIDE_BITS)
    return Wanted(scale, exponent, NARROW_BITS)


def column_ratios(plan: QuantizedActivation16, columns: int) -> torch.Tensor:
    """How many times the scale the steps of a result's columns are: float64 (columns,)."""
    return torch.ones(columns, dtype=torch.float64) if plan.exponent is None else ratios(plan.exponent)


def viewed(exponent: torch.Tensor | None, before: Sequence[int], node: fx.Node) -> torch.Tensor | None:
    """The exponents of what a view makes of a value of this shape."""
    if exponent is None:
        return None
    moved: torch.Tensor = node.target(exponent.expand(*before), *node.args[1:], **node.kwargs)  # type: ignore[operator]
    return compressed(moved)
