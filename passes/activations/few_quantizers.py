"""Exponents so coarse that codes of a value need few quantizers: each of a group's 16-bit scales has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import fx

from ...ir.plans import GroupedOperand, Plan
from ..graph.edit import dgqc, shape
from ..lowering.operands import MOST_QUANTIZERS
from ..simulation.simulate import operand_axis
from .channel_classes import ChannelClasses


@dataclass(frozen=True)
class ReadChannels:
    """Channels of a value that is coded. classes, group, part: int64 (C,), the part of a concatenation."""

    classes: torch.Tensor
    group: torch.Tensor
    part: torch.Tensor

    def quantizers(self, exponents: torch.Tensor) -> int:
        """How many these exponents of classes, int64 (count,), lead to."""
        kinds = torch.stack([self.group, self.part, exponents[self.classes]])
        return int(torch.unique(kinds, dim=1).shape[1])


def read_channels(
    graph: fx.Graph, plans: Mapping[str, Plan], classes: Mapping[fx.Node, ChannelClasses]
) -> Sequence[ReadChannels]:
    """Of every site where groups are of channels, before their scales are known."""
    found = []
    for node in graph.nodes:
        plan = plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
        if not isinstance(plan, GroupedOperand):
            continue
        axis, size = operand_axis(plan, len(shape(node))), len(plan.group)
        if size == shape(node)[axis]:
            along, part = classes[node].along(axis, size), classes[node].parts_along(axis, size)
            if along is not None and part is not None:
                found.append(ReadChannels(along, plan.group, part))
    return found


def with_few_quantizers(exponents: torch.Tensor, readers: Sequence[ReadChannels]) -> torch.Tensor:
    """The exponents of classes, those of too many quantizers rounded up to whole multiples of 2, 4, 8 ..."""
    step = torch.ones_like(exponents)
    while True:
        rounded = -torch.div(-exponents, step, rounding_mode="floor") * step
        crowded = [one for one in readers if one.quantizers(rounded) > MOST_QUANTIZERS]
        if not crowded:
            return rounded
        for one in crowded:
            step[torch.unique(one.classes)] *= 2
