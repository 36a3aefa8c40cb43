"""`absorb-multiples`: groups whose multiples fit into bits that weights don't use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import is_layer
from ...ir.plans import Dimension, GroupedOperand, Plan, Weight
from ...ir.program import Program
from ..base import Pass
from ..graph.edit import dgqc
from ..manager.registry import register_pass
from .timestep_tables import WantedScales, multiples_of, wanted_scales, with_bases

WEIGHT_BITS = 8
"""Of a weight as machines multiply it."""
NIBBLE = 4
"""Bits of the narrowest weight that they unpack; narrower ones are widened first."""


@register_pass
@dataclass(frozen=True)
class AbsorbMultiples(Pass):
    """Scales of channel groups whose multiples times the weights still fit a byte.

    A product sums multiple * code * weight. Where multiple * weight fits a byte, which a weight of up to 4
    bits does with multiples up to 16, machines multiply weights while they unpack them, and the product of
    any number of groups is one plain product of bytes. Multiples follow each call, as scales do. The base of
    a call is the one of all that make some group's scale exact that rounds with the least error.

    Where weights use all bits, one group is all there is, or rounding would get louder by more than `worst`
    dB beside free scales, summed over the calls, operands are left to `timestep-tables`.
    """

    worst: float = 0.5

    name: ClassVar[str] = "absorb-multiples"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"groups", "weights"})

    def __post_init__(self) -> None:
        if self.worst < 0:
            raise DgqcError(f"absorb-multiples takes a worst loss of 0 dB or more, not {self.worst:g}.")

    def run(self, program: Program) -> Program:
        plans: dict[str, Plan] = dict(program.plans)
        losses: dict[str, float] = {}
        left: dict[str, float] = {}
        for site in program.graph.graph.nodes:
            plan = plans.get(str(site.args[1])) if site.target is dgqc.site.default else None
            most = largest_multiple(site, plans)
            if not isinstance(plan, GroupedOperand) or plan.dimension is not Dimension.CHANNEL or most < 2:
                continue
            wanted, name = wanted_scales(plan), str(site.args[1])
            if len(wanted.members) == 1:
                continue
            base = closest_base(wanted, most)
            loss = louder(wanted, base)
            (losses if loss <= self.worst else left)[name] = round(loss, 3)
            if loss <= self.worst:
                plans[name] = with_bases(plan, wanted, base)
        mean = sum(losses.values()) / max(1, len(losses))
        found = {"operands": len(losses), "louder-db": round(mean, 3), "left": left}
        return replace(program, plans=plans).with_report(self.name, found)


def largest_multiple(site: fx.Node, plans: Mapping[str, Plan]) -> int:
    """What the weights of all that read a site can be multiplied by and still fit a byte; 1 where something
    else than a product with weights reads it."""
    most = 1 << WEIGHT_BITS
    for user in site.users:
        weight = plans.get(str(user.args[1].target)) if is_layer(user) else None  # type: ignore[union-attr]
        if not isinstance(weight, Weight):
            return 1
        most = min(most, 1 << (WEIGHT_BITS - max(weight.bits, NIBBLE)))
    return most


def closest_base(wanted: WantedScales, most: int) -> torch.Tensor:
    """The base of each call, float64 (T,), whose multiples up to `most`, rounded up, lose least.

    As a base shrinks, so do all scales, up to where one of them becomes exact and its multiple would grow:
    the best base makes one exact.
    """
    step = wanted.step
    parts = torch.arange(1, most + 1, dtype=torch.float64)
    least = step.amax(dim=1, keepdim=True) / most
    bases = torch.maximum((step[:, :, None] / parts).flatten(1), least)
    used = multiples_of(step[:, None, :], bases[:, :, None]) * bases[:, :, None]
    loss = (used.square() * wanted.members).sum(dim=2)
    return bases.gather(1, loss.argmin(dim=1, keepdim=True))[:, 0]


def louder(wanted: WantedScales, base: torch.Tensor) -> float:
    """By how many dB rounding is louder than with free scales, each call's noise beside its own."""
    used = multiples_of(wanted.step, base[:, None]) * base[:, None]
    noise, free = ((scales.square() * wanted.members).sum(dim=1) for scales in (used, wanted.step))
    return 10 * float(torch.log10((noise / free).mean()))
