"""Cached values: one scale for all calls that share one, and the correction in whole numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import multiplier
from ...ir.caching import CallKinds
from ...ir.ops.cached import CORRECTION_BITS, LARGEST_AMENDS, LARGEST_CORRECTION, arguments_of
from ...ir.plans import CachedValue
from ..graph.edit import dgqc
from .builder import IntegerGraphBuilder
from .values import Scaled


def cached(builder: IntegerGraphBuilder, plan: CachedValue, site: fx.Node) -> Scaled:
    """`dgqc::cached`, behind a `dgqc::rescale` where the value's scale isn't that of its cache.

    A full call leaves the value in the largest scale of the calls that will read it, so that any of them can
    be the full one where a drawing begins in the middle.
    """
    source, name, axes = site.args[0], str(site.args[1]), len(plan_shape(site))
    order = (*(axis for axis in range(axes) if axis != plan.axis), plan.axis)
    value = builder.sole(source, order)
    if value.along(plan.axis) is None:
        value = builder.scaled(source, order)
    value = _in_one_scale(builder, value, plan.source, site)
    steps = value.scales(plan.axis)
    assert steps is not None
    tables = tables_of(plan, steps)
    constants = {what: builder.table(f"{name}.{what}", table) for what, table in tables.items()}
    args = (value.node, builder.step, *arguments_of(constants, axes - 1))
    node = builder.call(dgqc.cached.default, args, site, f"{site.name}_value")
    return replace(value, node=node)


def tables_of(plan: CachedValue, steps: torch.Tensor) -> dict[str, torch.Tensor]:
    """In whole numbers. steps: of each call's value, (T, 1) or (T, C)."""
    source = plan.source if plan.amends is None else foretold_by(plan.source)
    ratio = steps[source] / steps
    tables = {
        "source": plan.source.to(torch.int32),
        "factor": _bounded(plan.factor * ratio),
        "offset": _bounded(plan.offset / steps),
    }
    if plan.older is not None:
        tables["older"] = _bounded(plan.older * scale_before(source, steps) * ratio)
    if plan.amends is not None:
        tables["amends"] = _bounded(plan.amends, LARGEST_AMENDS)
    return tables


def foretold_by(source: torch.Tensor) -> torch.Tensor:
    """The full call whose value each call could take, int64 (T,); the first one's is its own."""
    kinds = CallKinds(tuple(source.tolist()))
    return torch.tensor([max(0, kinds.foretold_by(call)) for call in range(len(source))])


def plan_shape(site: fx.Node) -> tuple[int, ...]:
    """Of the value at a site, for one sample."""
    return tuple(site.meta["val"].shape)


def _in_one_scale(builder: IntegerGraphBuilder, value: Scaled, source: torch.Tensor, site: fx.Node) -> Scaled:
    held = torch.stack([value.scale[source == one].max() for one in source])
    if torch.equal(held, value.scale):
        return value
    factor, shift = multiplier(value.scale / held, 30)
    tables = (
        builder.table(f"{site.name}.held_factor", factor),
        builder.table(f"{site.name}.held_shift", shift),
    )
    node = builder.call(dgqc.rescale.default, (value.node, builder.step, *tables), site, f"{site.name}_held")
    return replace(value, node=node, scale=held)


def scale_before(source: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """What an older value's steps are in steps of the later one, (T, 1) or (T, C); 1 where there is none.

    source: the full call that each call takes the value of. steps: of each call's value, (T, 1) or (T, C)."""
    kinds = CallKinds(tuple(source.tolist()))
    return steps[[max(0, kinds.foretold_by(one)) for one in kinds.sources]] / steps[source]


def _bounded(table: torch.Tensor, most: int = LARGEST_CORRECTION) -> torch.Tensor:
    return torch.round(table * 2**CORRECTION_BITS).clamp(-most, most).to(torch.int32)
