"""Operands of products: codes with their tables."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx

from ...ir.arithmetic.accumulators import centered_codes
from ...ir.arithmetic.intervals import Interval
from ...ir.plans import Dimension, Operand, QuantizedOperand, Role
from ..graph.edit import dgqc, shape
from ..simulation.simulate import operand_axis
from .builder import IntegerGraphBuilder
from .layout import Order
from .values import OperandCodes, Scaled

MOST_QUANTIZERS = 256
"""Of one site: groups are bytes."""


def quantize(
    builder: IntegerGraphBuilder, source: fx.Node, order: Order | None, plan: QuantizedOperand, site: fx.Node
) -> OperandCodes:
    """The `dgqc::quantize` of a site, with the tables its products need.

    Indices whose 16-bit scales differ have quantizers of their own, though they are of one group: products
    see the same codes.
    """
    name = str(site.args[1])
    axis = operand_axis(plan, len(shape(site)))
    value = builder.apart(source, order)
    group = builder.constant(f"{name}.group", plan.group.to(torch.uint8))
    finer = _finer_groups(value.scales(axis), plan.group)
    if finer is None:
        value = builder.scaled(source, order)
        finer = FinerGroups(plan.group, torch.arange(plan.zero.shape[1]), value.scale[:, None])
    tables = quantizer(finer.scales / plan.scale[:, finer.coarse], plan.zero[:, finer.coarse])
    whats = zip(("multiplier", "offset", "shift"), tables, strict=True)
    constants = [builder.table(f"{name}.{what}", table) for what, table in whats]
    own = builder.constant(f"{name}.quantizer", finer.group.to(torch.uint8))
    place, bits = value.layout.place(axis), plan.operand.bits
    args = (value.node, builder.step, *constants, own, place, bits)
    node = builder.call(dgqc.quantize.default, args, site, f"{name}_codes")
    zero, multiple = product_tables(builder, plan, name)
    return OperandCodes(node, value.layout, plan, zero, multiple, group, axis)


@dataclass(frozen=True)
class FinerGroups:
    """Parts of groups in which all 16-bit scales are the same.

    group: int64 (n,), of each index, below F. coarse: int64 (F,), the group that each is a part of. scales:
    float64 (T, F), or (T, 1) where all are the same.
    """

    group: torch.Tensor
    coarse: torch.Tensor
    scales: torch.Tensor


def _finer_groups(scales: torch.Tensor | None, group: torch.Tensor) -> FinerGroups | None:
    """None where they can't be told by one axis or would be too many.

    scales: float64 (T, n). group: int64 (n,).
    """
    if scales is None:
        return None
    if bool((scales == scales[:, :1]).all()):
        return FinerGroups(group, torch.arange(int(group.max()) + 1), scales[:, :1])
    kinds, finer = torch.unique(torch.cat([group[None].double(), scales]), dim=1, return_inverse=True)
    if kinds.shape[1] > MOST_QUANTIZERS:
        return None
    return FinerGroups(finer, kinds[0].to(torch.int64), kinds[1:])


def quantizer_tables(
    builder: IntegerGraphBuilder, value: Scaled, plan: QuantizedOperand, name: str
) -> tuple[fx.Node, fx.Node, fx.Node]:
    """Constants `multiplier`, `offset`, `shift` of `dgqc::quantize`."""
    tables = quantizer(value.scale[:, None] / plan.scale, plan.zero)
    whats = ("multiplier", "offset", "shift")
    m, o, s = (builder.table(f"{name}.{what}", t) for what, t in zip(whats, tables, strict=True))
    return m, o, s


def product_tables(
    builder: IntegerGraphBuilder, plan: QuantizedOperand, name: str
) -> tuple[fx.Node, fx.Node]:
    """Constants `zero` and `multiple` of products."""
    return builder.table(f"{name}.zero", plan.zero), builder.table(f"{name}.multiple", plan.multiple)


def quantizer(ratio: torch.Tensor, zero: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Multiplier, offset and shift with code = (x * multiplier + offset) >> shift, all int64 (T, G).

    ratio: float64 (T, G), input step over code step. zero: int64 (T, G).
    The shift is the largest for which the multiplier stays below 2^15 and |x * multiplier + offset| below
    2^31 for every int16 x. Where a code step is finer than a 16383th of an input step, a step more or less is
    as good as infinitely many: every code but the zero's is the first or the last.
    Raises OverflowError for a zero of 2^30 and beyond.
    """
    ratio = ratio.clamp(max=(2**15 - 1) / 2)
    candidates = torch.arange(1, 27).view(-1, *[1] * zero.dim())
    powers = 2.0 ** candidates.double()
    multiplier = torch.round(ratio * powers)
    largest = 32768 * multiplier + (zero.abs().double() + 1) * powers
    shift = (candidates * ((multiplier < 2**15) & (largest < 2**31))).amax(dim=0)
    if bool((shift == 0).any()):
        raise OverflowError(
            f"a code of zero lies {int(zero.abs().max())} codes away from those that there are"
        )
    multiplier = torch.round(ratio * 2.0 ** shift.double()).to(torch.int64)
    one = torch.ones_like(shift)
    return multiplier, (zero << shift) + (one << (shift - 1)), shift


def untouched(builder: IntegerGraphBuilder) -> tuple[fx.Node, fx.Node]:
    """`zero` and `multiple` of a 16-bit operand: one group, 0 and 1."""
    zeros = torch.zeros(builder.calls, 1)
    return builder.table("no_zero", zeros), builder.table("single", zeros + 1)


def as_operand(
    builder: IntegerGraphBuilder, node: fx.Node | object, axis: int, order: Order
) -> tuple[OperandCodes, torch.Tensor]:
    """An argument of a product as codes with tables, stored in an order, and its base scale float64 (T,).

    A 16-bit value passes as codes of one group along `axis`.
    """
    assert isinstance(node, fx.Node)
    value = builder.values[node]
    if isinstance(value, OperandCodes):
        return builder.arranged(value, order, node), value.plan.base
    scaled = builder.scaled(node, order)
    return wide_operand(builder, scaled, axis), scaled.scale


def wide_operand(builder: IntegerGraphBuilder, value: Scaled, axis: int) -> OperandCodes:
    """A 16-bit value in the form of codes: one group, zero 0, multiple 1."""
    zero, multiple = untouched(builder)
    group = builder.constant("one_group", torch.zeros(value.layout.shape[axis], dtype=torch.uint8))
    return OperandCodes(value.node, value.layout, _wide_plan(builder, value), zero, multiple, group, axis)


def _wide_plan(builder: IntegerGraphBuilder, value: Scaled) -> QuantizedOperand:
    ones = torch.ones(builder.calls, 1, dtype=torch.int64)
    operand = Operand(Role.LINEAR, 16, False)
    return QuantizedOperand(
        operand,
        Dimension.CHANNEL,
        torch.zeros(1, dtype=torch.int64),
        value.scale,
        ones,
        torch.zeros_like(ones),
    )


def value_interval(plan: QuantizedOperand) -> Interval:
    """What each group's values, multiple * (code - zero), lie between at each call: int64 (T, G)."""
    return centered_codes(_codes(plan), plan.zero, plan.multiple)


def centered_interval(plan: QuantizedOperand) -> Interval:
    """What code - zero lies between for each group at each call: int64 (T, G)."""
    return centered_codes(_codes(plan), plan.zero, torch.ones_like(plan.multiple))


def _codes(plan: QuantizedOperand) -> tuple[int, int]:
    return (-32768, 32767) if plan.operand.bits == 16 else (0, 2**plan.operand.bits - 1)
