"""`merge-quantizers`: operands that read one value with one plan share a site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ...ir.level import Level
from ...ir.plans import Operand, Role
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .edit import clean, dgqc


@register_pass
@dataclass(frozen=True)
class MergeQuantizers(Pass):
    """Common-subexpression elimination on sites: q, k and v of a self-attention read one tensor.

    The value is then observed, grouped and quantized once. Convolutions are merged only where they see the
    same patches, since their pixels are output positions.
    """

    name: ClassVar[str] = "merge-quantizers"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})
    provides: ClassVar[frozenset[str]] = frozenset({"merged-quantizers"})

    def run(self, program: Program) -> Program:
        plans = dict(program.plans)
        first: dict[object, fx.Node] = {}
        merged = 0
        for node in list(program.graph.graph.nodes):
            if node.target is not dgqc.site.default:
                continue
            plan = plans[str(node.args[1])]
            if not isinstance(plan, Operand):
                continue
            key = (node.args[0], plan, _patches(node, plan))
            if key in first:
                node.replace_all_uses_with(first[key])
                del plans[str(node.args[1])]
                merged += 1
            else:
                first[key] = node
        clean(program.graph)
        return replace(program, plans=plans).with_report(self.name, {"merged": merged})


def _patches(site: fx.Node, plan: Operand) -> object:
    """What else must agree: a convolution's kernel, stride and padding."""
    if plan.role is not Role.CONVOLUTION:
        return None
    (user,) = site.users
    weight = user.args[1]
    assert isinstance(weight, fx.Node)
    geometry = (user.args[3], user.args[4])
    return (
        tuple(weight.meta["val"].shape[2:]),
        *(tuple(item) for item in geometry if isinstance(item, list | tuple)),
    )
