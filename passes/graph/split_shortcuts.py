"""`split-shortcuts`: where a product reads a concatenation, each part has a quantizer of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.level import Level
from ...ir.plans import Dimension, GroupedOperand, ObservedOperand, Plan, Role
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .edit import aten, dgqc, shape


@register_pass
@dataclass(frozen=True)
class SplitShortcuts(Pass):
    """Q-Diffusion's split: the shortcut convolutions of the decoder read a block's values beside a skip's,
    whose ranges differ strongly; each gets a group of channels.

    Our deviation: only activations are split; a weight's output channel keeps one scale for both parts.
    """

    name: ClassVar[str] = "split-shortcuts"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges"})
    provides: ClassVar[frozenset[str]] = frozenset({"split-shortcuts"})

    def run(self, program: Program) -> Program:
        plans: dict[str, Plan] = dict(program.plans)
        split = 0
        for node in program.graph.graph.nodes:
            plan = plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
            if not isinstance(plan, ObservedOperand):
                continue
            parts = _parts(node, 1 if plan.operand.role is Role.CONVOLUTION else len(shape(node)) - 1)
            if parts and plan.operand.role in (Role.CONVOLUTION, Role.LINEAR):
                group = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor(parts))
                grouped = GroupedOperand(
                    plan.operand, Dimension.CHANNEL, plan.channel, group, plan.channel_variation
                )
                plans[str(node.args[1])] = grouped
                split += 1
        return replace(program, plans=plans).with_report(self.name, {"operands": split})


def _parts(site: fx.Node, axis: int) -> list[int]:
    """Channels of each part of the concatenation that a site reads; empty where it reads something else."""
    node = site.args[0]
    while isinstance(node, fx.Node) and node.target is dgqc.site.default:
        node = node.args[0]
    if not isinstance(node, fx.Node) or node.target is not aten.cat.default:
        return []
    sources, dimension = (*node.args, 0)[:2]
    assert isinstance(sources, list | tuple)
    assert isinstance(dimension, int)
    if dimension % len(shape(node)) != axis:
        return []
    return [shape(source)[axis] for source in sources if isinstance(source, fx.Node)]
