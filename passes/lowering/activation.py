"""SiLU and GELU on integers, whose result's channels may have other scales than the input's."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier, normalized
from ...ir.arithmetic.lookup import (
    ACTIVATION_PIECES,
    activation_table,
    normal_distribution,
    normal_distribution_by_tanh,
    sigmoid,
)
from ...ir.ops.captured import channel_axis
from ...ir.plans import ratios
from ..graph.edit import aten, dgqc
from .builder import IntegerGraphBuilder
from .exponents import wanted_scale
from .registry import lowers
from .values import LoweredValue, Scaled

SIGMOID_END, NORMAL_END = 16.0, 8.0
"""Where the tables end: g is below 2^-17 beyond."""


@lowers(aten.silu.default, aten.gelu.default)
def lower_activation(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """SiLU and both forms of GELU, through `dgqc::activation`."""
    scale, exponent = wanted_scale(builder, node)
    axis = channel_axis(node)
    value = _with_channels_last(builder, node, axis, exponent is not None)
    have = value.along(axis)
    assert have is not None
    value, have = replace(value, scale=value.scale * ratios(have.min())), have - have.min()
    if node.target is aten.silu.default:
        name, function, end = "sigmoid", sigmoid, SIGMOID_END
    elif "tanh" in (*node.args, *node.kwargs.values()):
        name, function, end = "normal_by_tanh", normal_distribution_by_tanh, NORMAL_END
    else:
        name, function, end = "normal", normal_distribution, NORMAL_END
    table = builder.constant(name, activation_table(function, end))
    unlike = bool(have.any())
    # Steps too coarse for these bits lead on by 1 or by 1/2: nothing but rounding is left, whatever they are.
    places = value.scale * ACTIVATION_PIECES * 8192 / end
    place, place_shift = multiplier(places, 15 if unlike else 16)
    between = have - (0 if exponent is None else exponent.reshape(-1))
    column, unit = _columns(between)
    factor, shift = multiplier(value.scale * unit / scale / 65536, bits_for(2**35 if value.wide else 2**31))
    names = ("index_factor", "index_shift", "factor", "shift")
    tables = [
        builder.table(f"{node.name}.{what}", item)
        for what, item in zip(names, (place, place_shift, factor, shift), strict=True)
    ]
    columns: list[fx.Node | None] = []
    if unlike or column is not None:
        columns.append(builder.table(f"{node.name}.exponent", have) if unlike else None)
    if column is not None:
        columns.append(builder.table(f"{node.name}.column", column))
    args = (value.node, builder.step, table, *tables, *columns)
    return Scaled(builder.call(dgqc.activation.default, args, node), scale, value.layout, exponent)


def _columns(between: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | float]:
    """How many times as much each column counts in the result's steps, and in what unit; no columns where
    all count the same. between: int64 (C,), of exponents."""
    if bool((between == between[0]).all()):
        return None, ratios(between[0])
    column, unit = normalized(ratios(between))
    return column, unit * 2.0**31


def _with_channels_last(builder: IntegerGraphBuilder, node: fx.Node, axis: int, wanted: bool) -> Scaled:
    """What an activation function reads, with its exponents along the last axis in memory.

    wanted: whether the result has exponents.
    """
    source = node.args[0]
    assert isinstance(source, fx.Node)
    value = builder.sole(source, wide=True)
    if value.along(axis) is None:
        value = builder.changed(value, None, source)
    if (wanted or value.exponent is not None) and value.layout.order[-1] != axis:
        rest = (one for one in value.layout.order if one != axis)
        value = builder.arranged(value, (*rest, axis), source)
    return value
