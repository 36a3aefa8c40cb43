"""Decisions along pixels and tokens at another size: each pixel takes those of the nearest one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import fx

from ...ir.plans import Dimension, Plan, QuantizedOperand, Role
from ...ir.program import Program
from ...ir.verify.plan_rules import dimension_axis
from ..graph.edit import dgqc, placeholders_upstream, shape

Grid = tuple[int, int]
"""Height and width of an image whose pixels stand in rows."""
Grids = dict[tuple[int, int], tuple[Grid, Grid]]
"""How many pixels an image has at one size and at another: how it lies at both."""
VALUES = ".values"
"""How sites of attention's values are called: of these tokens lie along what is summed."""


def spread_plans(program: Program, grids: Grids) -> Mapping[str, Plan]:
    """The plans of a program whose values' sizes have changed. grids: of its images."""
    upstream = placeholders_upstream(program.graph.graph)
    sample = program.inputs[0].name
    plans = dict(program.plans)
    for site in program.graph.graph.nodes:
        if site.target is not dgqc.site.default:
            continue
        name = str(site.args[1])
        plan = plans.get(name)
        if isinstance(plan, QuantizedOperand):
            # A context's tokens are no pixels, however many they are.
            known = grids if sample in upstream[site] and _along_tokens(name, plan) else {}
            plans[name] = _spread(plan, _indices(plan, site), known)
    return plans


def nearest(group: torch.Tensor, size: int, grids: Grids) -> torch.Tensor:
    """The group of each of `size` indices, int64 (size,), from those of n others, (n,)."""
    if (len(group), size) not in grids:
        return group if len(group) == size else group[_places(size, len(group))]
    here, there = grids[len(group), size]
    rows, columns = (_places(new, old) for new, old in zip(there, here, strict=True))
    return group.reshape(here)[rows][:, columns].reshape(-1)


def _spread(plan: QuantizedOperand, size: int, grids: Grids) -> QuantizedOperand:
    """The plan of so many indices; groups that none of them is in are left out."""
    group = nearest(plan.group, size, grids)
    present, group = torch.unique(group, return_inverse=True)
    if len(present) == plan.zero.shape[1]:
        return replace(plan, group=group)
    return replace(plan, group=group, multiple=plan.multiple[:, present], zero=plan.zero[:, present])


def _indices(plan: QuantizedOperand, site: fx.Node) -> int:
    """How many indices a site's value has along the plan's dimension."""
    axis = dimension_axis(plan.operand.role, plan.dimension)
    if axis is not None:
        return shape(site)[axis]
    *_, height, width = shape(next(iter(site.users)))
    return height * width


def _along_tokens(name: str, plan: QuantizedOperand) -> bool:
    """Whether indices are pixels or tokens, not channels."""
    swapped = plan.operand.role is Role.RIGHT and name.endswith(VALUES)
    return (plan.dimension is Dimension.PIXEL) != swapped


def _places(new: int, old: int) -> torch.Tensor:
    """Of each of `new` places in a row, the nearest of `old`: int64 (new,)."""
    return (2 * torch.arange(new) + 1) * old // (2 * new)
