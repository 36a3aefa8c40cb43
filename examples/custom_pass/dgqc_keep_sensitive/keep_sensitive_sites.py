"""`keep-sensitive-sites`: operands of some modules keep more bits than the preset gives them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import ClassVar

import torch

from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.plans import Operand, Probabilities
from dgqc.ir.program import Program
from dgqc.passes.base import Pass
from dgqc.passes.manager.registry import register_pass


@register_pass
@dataclass(frozen=True)
class KeepSensitiveSites(Pass):
    """Raises the bits of every operand and attention whose module path matches a pattern.

    It stands between insert-sites, which gives each site its bits, and observe-ranges, after which plans
    are more than bits. It never lowers bits: a site that has more keeps them.

    module: a pattern as in the shell: `mid_block.*`, `*.attn2.to_k`. Module paths are those of the model.
    bits: 2 to 8.
    """

    module: str
    bits: int = 8

    name: ClassVar[str] = "keep-sensitive-sites"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise DgqcError(f"keep-sensitive-sites takes bits from 2 to 8, not {self.bits}.")

    def run(self, program: Program) -> Program:
        plans = dict(program.plans)
        raised = []
        for node in program.graph.graph.nodes:
            if node.target is not torch.ops.dgqc.site.default:
                continue
            name, module = str(node.args[1]), str(node.meta.get("module"))
            plan = plans[name]
            if isinstance(plan, Operand | Probabilities) and fnmatchcase(module, self.module):
                plans[name] = replace(plan, bits=max(plan.bits, self.bits))
                raised.append(name)
        if not raised:
            raise DgqcError(
                f"No undecided operand stands in a module that matches {self.module!r}; look up module paths "
                "with --print-ir-after=insert-sites, and put the pass right after insert-sites."
            )
        return replace(program, plans=plans).with_report(self.name, {"bits": self.bits, "sites": raised})
