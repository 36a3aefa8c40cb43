"""Softmax, quantized probabilities and their product with the values."""

from __future__ import annotations

import math
import operator

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier
from ...ir.plans import Coding, QuantizedProbabilities
from ..graph.attention import is_biased
from ..graph.edit import aten, dgqc, shape
from .builder import IntegerGraphBuilder
from .layout import Layout, plain
from .operands import as_operand, value_interval
from .registry import lowers
from .rows import lower_shares
from .values import Logits, LoweredValue, PendingProbabilities, ProbabilityCodes, Scaled, StartProbabilities

LAST_CODE = 31
"""Log codes end here at the integer level; a probability of 2^-31 adds nothing to 16 bits."""
FINEST = 23
"""Fraction bits of the finest probability that still counts."""
PARTS = ("codes", "mantissa", "exponent", "first")
"""What the softmax ops return."""


def mixed_by_softmax(product: fx.Node) -> float | None:
    """The scalar factor between a product and the softmax it feeds, or None where it feeds none."""
    factor, node = 1.0, product
    while len(node.users) == 1:
        user = next(iter(node.users))
        if user.target is aten.softmax.int:
            return factor
        if user.target is aten.mul.Tensor and not isinstance(user.args[1], fx.Node):
            factor *= float(user.args[1])  # type: ignore[arg-type]
        elif user.target is not aten.cat.default and not is_biased(user, node):
            return None
        node = user
    return None


@lowers(aten.softmax.int)
def lower_softmax(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """Held back until the site downstream says how probabilities are quantized; or no attention's."""
    source = node.args[0]
    assert isinstance(source, fx.Node)
    logits = builder.values[source]
    if not isinstance(logits, Logits):
        return lower_shares(builder, node)
    return PendingProbabilities(logits, start=len(node.users) == 2)


def lower_probability_slice(value: PendingProbabilities, node: fx.Node) -> LoweredValue:
    """The start token's column, or the others'."""
    return StartProbabilities() if node.args[2] == 0 else value


def emit_softmax(
    builder: IntegerGraphBuilder, value: PendingProbabilities, plan: QuantizedProbabilities, site: fx.Node
) -> ProbabilityCodes:
    """The softmax op that the plan asks for."""
    name = str(site.args[1])
    logits, start = value.logits.node, value.start
    if plan.granularity is None:
        assert plan.scale is not None
        inverse, shift = multiplier(1 / (plan.scale * 2.0**30), 31)
        mantissa, exponent = multiplier(plan.scale.clamp(max=0.5 - 2.0**-16), 15)
        tables = {"inverse": inverse, "shift": shift, "mantissa": mantissa, "exponent": exponent - 15}
        nodes = [builder.table(f"{name}.{what}", table) for what, table in tables.items()]
        args: tuple[object, ...] = (logits, builder.step, *nodes, plan.bits, start)
        softmax = builder.call(dgqc.softmax_static.default, args, site)
    elif plan.coding is Coding.UNIFORM:
        args = (logits, plan.bits, plan.granularity.value, start)
        softmax = builder.call(dgqc.softmax_uniform.default, args, site)
    else:
        limit = min(2**plan.bits - 1, LAST_CODE)
        softmax = builder.call(
            dgqc.softmax_log2.default, (logits, limit, plan.granularity.value, start), site
        )
    codes, scale, octaves, first = (
        builder.call(operator.getitem, (softmax, i), site, f"{name}_{what}") for i, what in enumerate(PARTS)
    )
    return ProbabilityCodes(codes, scale, octaves, first, start, shape(site)[-1] + int(start), plan)


def probability_table(plan: QuantizedProbabilities) -> tuple[torch.Tensor, int]:
    """What each code stands for in units of the scale, int32 (codes,), and its fraction bits."""
    if plan.coding is Coding.UNIFORM:
        return torch.arange(2**plan.bits, dtype=torch.int32), 0
    limit = min(2**plan.bits - 1, LAST_CODE)
    fraction = min(max(limit, 15), FINEST)
    values = [1 << (fraction - code) if code <= fraction else 0 for code in range(limit + 1)]
    return torch.tensor(values, dtype=torch.int32), fraction


def attend(
    builder: IntegerGraphBuilder, node: fx.Node, probabilities: ProbabilityCodes, values: fx.Node
) -> Scaled:
    """`dgqc::attend` with the scale of the 16-bit site downstream of `node`.

    values: the old graph's node of all values (..., keys, features).
    """
    rank = len(shape(values))
    operand, base = as_operand(builder, values, rank - 2, plain(rank))
    scale = builder.output_scale(node)
    table, fraction = probability_table(probabilities.plan)
    limit = len(table) - 1
    total = 2.5 + probabilities.keys / 2.0 ** min(limit, 30)
    bound = math.ceil(2**15 * total * int(value_interval(operand.plan).absolute_maximum.max()))
    factor, shift = multiplier(base / scale / 2**15, bits_for(bound))
    p = probabilities
    coded = (p.codes, p.mantissa, p.exponent, p.first, p.start)
    decoding = (builder.table("shares", table), fraction)
    requantization = (
        builder.table(f"{node.name}.factor", factor),
        builder.table(f"{node.name}.shift", shift),
    )
    args = (*coded, *decoding, operand.node, builder.step, *operand.tables, *requantization)
    return Scaled(builder.call(dgqc.attend.default, args, node), scale, Layout.plain(shape(node)))
