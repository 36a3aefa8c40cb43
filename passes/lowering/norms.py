"""GroupNorm and LayerNorm on integers."""

from __future__ import annotations

import math

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import multiplier, normalized
from ...ir.errors import DgqcError
from ...ir.ops.wide import FINER
from ..graph.edit import aten, dgqc, module_path, shape
from .builder import IntegerGraphBuilder
from .exponents import column_ratios, wanted_scale, wanted_value
from .layout import channels_last, plain
from .registry import lowers
from .values import Joined, LoweredValue, Scaled

LARGEST_GROUP = 2**22
"""Elements that share a mean: their squared deviations must add up below 2^62."""
LARGEST_SHIFT = 40
"""Gains keep their shift below this, so that a division by a large deviation still fits after it."""


@lowers(aten.group_norm.default)
def lower_group_norm(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::group_norm`."""
    source, groups, weight, bias, epsilon = node.args[:5]
    assert isinstance(groups, int)
    order = channels_last(len(shape(node)))
    value = builder.apart(source, order, wide=True)
    scales = _by_group(value, groups)
    if scales is None:
        value = builder.scaled(source, order)
        scales = value.scale[:, None]
    scales = scales * FINER if value.wide else scales
    channels = shape(node)[1]
    count = math.prod(shape(node)[1:]) // groups
    tables = affine_tables(builder, node, (weight, bias), channels, count, float(epsilon), scales)  # type: ignore[arg-type]
    wanted = wanted_value(builder, node)
    args = (value.node, builder.step, groups, *tables, *wanted.arguments)
    result = builder.call(dgqc.group_norm.default, args, node)
    return Scaled(result, wanted.scale, value.layout, wanted.exponent, wanted.wide)


def _by_group(value: Scaled | Joined, groups: int) -> torch.Tensor | None:
    """The scales of a norm's groups at each call, float64 (T, groups), or (T, 1) where all have one; None
    where a group's channels differ."""
    scales = value.scales(1)
    if scales is None:
        return None
    by_group = scales.reshape(len(scales), groups, -1)
    if bool((by_group != by_group[..., :1]).any()):
        return None
    found = by_group[..., 0]
    return found[:, :1] if bool((found == found[:, :1]).all()) else found


@lowers(aten.layer_norm.default)
def lower_layer_norm(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::layer_norm`, over the last axis only."""
    source, sizes, weight, bias, epsilon = (*node.args, *(None,) * 5)[:5]
    if not isinstance(sizes, list | tuple) or len(sizes) != 1:
        raise DgqcError(
            f"{module_path(node)} normalizes over {sizes}; only the last axis has an integer form."
        )
    value = builder.scaled(source, plain(len(shape(node))))
    channels = shape(node)[-1]
    eps = 1e-5 if epsilon is None else float(epsilon)  # type: ignore[arg-type]
    tables = affine_tables(builder, node, (weight, bias), channels, channels, eps, value.scale[:, None])
    args = (value.node, builder.step, *tables)
    scale, exponent = wanted_scale(builder, node)
    return Scaled(builder.call(dgqc.layer_norm.default, args, node), scale, value.layout, exponent)


def affine_tables(
    builder: IntegerGraphBuilder,
    node: fx.Node,
    affine: tuple[object, object],
    channels: int,
    count: int,
    epsilon: float,
    input_scales: torch.Tensor,
) -> tuple[fx.Node, ...]:
    """gamma, gamma_factor, gamma_shift, beta, beta_factor, beta_shift, epsilon of a norm.

    affine: the old graph's weight and bias, or None each. count: elements that share a mean. input_scales:
    float64 (T, S), of 16-bit steps of each set of values that share one, or (T, 1).
    """
    if count >= LARGEST_GROUP:
        raise DgqcError(
            f"{module_path(node)} normalizes {count} values at once; "
            f"the integer form holds fewer than {LARGEST_GROUP}."
        )
    weight, bias = affine
    plan = builder.output_plan(node)
    scale, ratio = plan.scale, column_ratios(plan, channels)
    gains = torch.ones(channels) if weight is None else builder.weight(weight)
    offsets = torch.zeros(channels) if bias is None else builder.weight(bias)
    gamma, gamma_unit = normalized(gains.double() / ratio)
    beta, beta_unit = normalized(offsets.double() / ratio)
    gamma_factor, gamma_shift = multiplier(gamma_unit * 2.0**31 * math.sqrt(count) / scale, 31, LARGEST_SHIFT)
    beta_factor, beta_shift = multiplier(beta_unit * 256 / scale, 31)
    energy = torch.round(epsilon * count * 256 / input_scales**2).clamp(1, 2.0**60).to(torch.int64)
    energy = energy[:, 0] if energy.shape[1] == 1 else energy
    name = node.name
    return (
        builder.table(f"{name}.gamma", gamma),
        builder.table(f"{name}.gamma_factor", gamma_factor),
        builder.table(f"{name}.gamma_shift", gamma_shift),
        builder.table(f"{name}.beta", beta),
        builder.table(f"{name}.beta_factor", beta_factor),
        builder.table(f"{name}.beta_shift", beta_shift),
        builder.constant(f"{name}.epsilon", energy),
    )
