"""Corrections of values by channel and call: a product and a sum with rows of tables."""

from __future__ import annotations

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier, shared_shift_multipliers
from ...ir.plans import Correction
from ..graph.edit import dgqc
from .builder import IntegerGraphBuilder
from .layout import Layout
from .values import Scaled

LARGEST = 32767
SMALLEST = 1e-30
"""Of a table's scale: a row may be all 0."""


def corrected(builder: IntegerGraphBuilder, plan: Correction, site: fx.Node) -> Scaled:
    """`dgqc::mul` and `dgqc::add`; neither where it would change nothing.

    The result's scale is as much coarser as the correction can make values larger, so that none saturates
    that didn't before.
    """
    value, name = builder.scaled(site.args[0]), str(site.args[1])
    node, scale = value.node, value.scale
    if bool((plan.factor != 1).any()):
        row, unit = _row(builder, f"{name}.factor", plan.factor, value.layout, site)
        scale = value.scale * unit * LARGEST
        factor, shift = multiplier(value.scale * unit / scale, bits_for(2**30))
        tables = builder.table(f"{name}.mul_factor", factor), builder.table(f"{name}.mul_shift", shift)
        node = builder.call(dgqc.mul.default, (node, row, builder.step, *tables), site, f"{site.name}_scaled")
    if bool((plan.offset != 0).any()):
        row, unit = _row(builder, f"{name}.offset", plan.offset, value.layout, site)
        total = scale + unit
        (left, right), shift = shared_shift_multipliers([scale / total, unit / total])
        whats = (("a_factor", left), ("b_factor", right), ("add_shift", shift))
        constants = [builder.table(f"{name}.{what}", table) for what, table in whats]
        node = builder.call(
            dgqc.add.default, (node, row, builder.step, *constants), site, f"{site.name}_moved"
        )
        scale = total
    return Scaled(node, scale, value.layout)


def _row(
    builder: IntegerGraphBuilder, name: str, table: torch.Tensor, layout: Layout, site: fx.Node
) -> tuple[fx.Node, torch.Tensor]:
    """This call's row of a table (T, C) in 16 bits, to broadcast against a value that is stored so, and its
    scale, float64 (T,)."""
    scale = table.abs().amax(dim=1).clamp(min=SMALLEST) / LARGEST
    sizes = [1] * len(layout.shape)
    sizes[layout.place(1)] = table.shape[1]
    codes = torch.round(table / scale[:, None]).to(torch.int16).reshape(len(table), *sizes)
    constant = builder.constant(name, codes)
    return builder.call(dgqc.at_step.default, (constant, builder.step), site, f"{name}_at_step"), scale
