"""Cached values: one scale for all calls that share one, and the correction in whole numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import multiplier
from ...ir.ops.cached import CORRECTION_BITS, LARGEST_CORRECTION
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
    offset = torch.round(plan.offset / steps * 2**CORRECTION_BITS)
    tables = {
        "source": plan.source.to(torch.int32),
        "factor": _bounded(torch.round(plan.factor * 2**CORRECTION_BITS)),
        "offset": _bounded(offset),
    }
    if plan.older is not None:
        tables["older"] = _bounded(
            torch.round(plan.older * scale_before(plan.source, steps) * 2**CORRECTION_BITS)
        )
    constants = [builder.table(f"{name}.{what}", table) for what, table in tables.items()]
    args = (value.node, builder.step, *constants[:3], axes - 1, False, *constants[3:])
    node = builder.call(dgqc.cached.default, args, site, f"{site.name}_value")
    return replace(value, node=node)


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

    source: as in the plan. steps: of each call's value, (T, 1) or (T, C)."""
    starts = sorted(set(source.tolist()))
    before = dict(zip(starts, starts[:1] + starts, strict=False))
    return steps[[before[one] for one in source.tolist()]] / steps[source]


def _bounded(table: torch.Tensor) -> torch.Tensor:
    return table.clamp(-LARGEST_CORRECTION, LARGEST_CORRECTION).to(torch.int32)
