"""Linear, convolution and matmul on integers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ...ir.arithmetic.accumulators import WeightSums, accumulator
from ...ir.arithmetic.factor_widths import bits_beside_multiple
from ...ir.arithmetic.fixed_point import bits_for, multiplier, normalized
from ...ir.errors import DgqcError
from ...ir.plans import QuantizedOperand, Weight
from ...ir.storage.narrow_codes import stored_bits
from ..graph.edit import aten, dgqc, module_path, shape
from .attention import attend, mixed_by_softmax
from .builder import IntegerGraphBuilder
from .exponents import column_ratios, wanted_scale, wanted_value
from .layout import Layout, channels_last, plain, transposed
from .operands import as_operand, centered_interval, product_tables, quantizer_tables, value_interval
from .registry import lowers
from .values import (
    CodeRows,
    Logits,
    LoweredValue,
    OperandCodes,
    OthersProduct,
    PixelPatches,
    ProbabilityCodes,
    Scaled,
    StartProbabilities,
    StartProduct,
)

LARGEST_SHIFT = 44
"""Shifts of columns end here, so that a bias as large as the output still fits beside the product."""


def accumulator_bound(plan: QuantizedOperand, weight: torch.Tensor, group: torch.Tensor | None) -> int:
    """A bound on |accumulator| over all calls and columns, on the way to the whole sum as well.

    weight: int8 (N, K) or (N, kh, kw, K). group: uint8 (K,); None where groups lie along rows.
    """
    sums = WeightSums.of(weight, group, plan.zero.shape[1])
    return math.ceil(float(accumulator(value_interval(plan), sums, group is not None).partial.max()))


def activation_product_bound(left: QuantizedOperand, right: QuantizedOperand, depth: int) -> int:
    """A bound on |accumulator| of a product of activations, over all calls.

    Every index counts as the worst of its side, though the verifier's proof knows which group each has: bits
    of factors follow from this bound, and a tighter one would give other results to programs of today.
    """
    sides = (value_interval(plan).absolute_maximum.double().amax(dim=1) for plan in (left, right))
    largest, other = sides
    return math.ceil(depth * float((largest * other).max()))


def epilogue(
    builder: IntegerGraphBuilder,
    node: fx.Node,
    weight: Weight,
    bias: torch.Tensor | None,
    base: torch.Tensor,
    bound: int,
    scale: torch.Tensor | None = None,
) -> tuple[fx.Node, ...]:
    """The constants of `requantize_columns`: column, factor, shift, bias, bias_factor, bias_shift.

    base: float64 (T,), of the operand. bound: on |accumulator|. scale: float64 (T,), of the result's steps,
    where these are not those that the site downstream says.
    """
    plan = builder.output_plan(node)
    scale, ratio = plan.scale if scale is None else scale, column_ratios(plan, len(weight.scale))
    column, unit = normalized(weight.scale / ratio)
    factor, shift = multiplier(unit * 2.0**31 * base / scale, bits_for(bound), LARGEST_SHIFT)
    offsets = torch.zeros(len(weight.scale)) if bias is None else bias
    offset, offset_unit = normalized(offsets.double() / ratio)
    offset_factor, offset_shift = multiplier(offset_unit * torch.ldexp(1 / scale, shift.double()), 31)
    name = node.name
    return (
        builder.table(f"{name}.column", column),
        builder.table(f"{name}.factor", factor),
        builder.table(f"{name}.shift", shift),
        builder.table(f"{name}.bias", offset),
        builder.table(f"{name}.bias_factor", offset_factor),
        builder.table(f"{name}.bias_shift", offset_shift),
    )


def _weight(builder: IntegerGraphBuilder, node: fx.Node | object) -> tuple[Weight, fx.Node]:
    assert isinstance(node, fx.Node)
    plan = builder.program.plans.get(str(node.target))
    if not isinstance(plan, Weight):
        raise DgqcError(
            f"The weight {node.target} is not quantized yet; run quantize-weights before lower-integer."
        )
    # A kernel's taps stand before its channels, as an image's pixels do.
    stored = plan.codes.permute(0, 2, 3, 1) if plan.codes.dim() == 4 else plan.codes
    codes = builder.constant(str(node.target), stored)
    builder.weight_bits[str(codes.target)] = stored_bits(plan.bits)
    return plan, codes


def _bias(builder: IntegerGraphBuilder, node: fx.Node, place: int) -> torch.Tensor | None:
    given = node.args[place] if len(node.args) > place else None
    return None if given is None else builder.weight(given)


@lowers(aten.linear.default)
def lower_linear(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::linear`."""
    weight, codes = _weight(builder, node.args[1])
    last = len(shape(node)) - 1
    operand, base = as_operand(builder, node.args[0], last, plain(last + 1))
    group = _value(builder, operand.group) if operand.axis == last else None
    bound = accumulator_bound(operand.plan, _value(builder, codes), group)
    wanted, layout = wanted_value(builder, node), Layout.plain(shape(node))
    constants = epilogue(builder, node, weight, _bias(builder, node, 2), base, bound, wanted.scale)
    args = (operand.node, builder.step, *operand.tables, codes, *constants, *wanted.arguments)
    result = builder.call(dgqc.linear.default, args, node)
    return Scaled(result, wanted.scale, layout, wanted.exponent, wanted.wide)


def _value(builder: IntegerGraphBuilder, node: fx.Node) -> torch.Tensor:
    """A constant of the new graph."""
    value = getattr(builder.root, str(node.target))
    assert isinstance(value, torch.Tensor)
    return value


@lowers(aten.conv2d.default)
def lower_conv2d(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::conv2d`, or `dgqc::conv2d_pixel` where groups are output positions."""
    source, weight_node, _, stride, padding, dilation, groups = (*node.args, *(None,) * 7)[:7]
    if (dilation or [1, 1]) != [1, 1] or (groups or 1) != 1:
        raise DgqcError(
            f"The convolution {module_path(node)} is dilated or grouped, which has no integer form yet."
        )
    weight, codes = _weight(builder, weight_node)
    (scale, exponent), layout = wanted_scale(builder, node), Layout(shape(node), channels_last(4))
    assert isinstance(source, fx.Node)
    value = builder.values[source]
    bias = _bias(builder, node, 2)
    if isinstance(value, PixelPatches):
        plan, name = value.plan, f"{node.name}.input"
        bound = accumulator_bound(plan, _value(builder, codes), None)
        constants = epilogue(builder, node, weight, bias, plan.base, bound)
        quantizer = quantizer_tables(builder, value.source, plan, name)
        zero, multiple = product_tables(builder, plan, name)
        group = builder.constant(f"{name}.group", plan.group.to(torch.uint8))
        gathered = (value.source.node, builder.step, *quantizer, zero, multiple, group, plan.operand.bits)
        args: tuple[Any, ...] = (*gathered, codes, *constants, stride, padding)
        return Scaled(builder.call(dgqc.conv2d_pixel.default, args, node), scale, layout, exponent)
    operand, base = as_operand(builder, source, 1, channels_last(4))
    bound = accumulator_bound(operand.plan, _value(builder, codes), _value(builder, operand.group))
    wanted = wanted_value(builder, node)
    constants = epilogue(builder, node, weight, bias, base, bound, wanted.scale)
    tables = (operand.zero, operand.multiple, operand.group)
    args = (operand.node, builder.step, *tables, codes, *constants, stride, padding, *wanted.arguments)
    result = builder.call(dgqc.conv2d.default, args, node)
    return Scaled(result, wanted.scale, layout, wanted.exponent, wanted.wide)


@lowers(aten.matmul.default)
def lower_matmul(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """A product of activations: logits, probabilities times values, or any other."""
    left, right = node.args[0], node.args[1]
    assert isinstance(left, fx.Node)
    assert isinstance(right, fx.Node)
    probabilities = builder.values[left]
    if isinstance(probabilities, StartProbabilities):
        return StartProduct()
    if isinstance(probabilities, ProbabilityCodes):
        rows = builder.values[right]
        if probabilities.start:
            assert isinstance(rows, CodeRows)
            return OthersProduct(probabilities, rows.source)
        return attend(builder, node, probabilities, right)
    # `dgqc::matmul` takes both sides with the summed axis last.
    rank, other_rank = len(shape(left)), len(shape(right))
    a, a_base = as_operand(builder, left, rank - 1, plain(rank))
    b, b_base = as_operand(builder, right, other_rank - 2, transposed(other_rank))
    depth = shape(left)[-1]
    factor = mixed_by_softmax(node)
    if factor is None:
        scale, width = builder.output_scale(node), 16
        real = a_base * b_base / scale
    else:
        scale, width = torch.ones(builder.calls, dtype=torch.float64), 32
        real = a_base * b_base * factor * math.log2(math.e) * 65536
    bits = bits_for(activation_product_bound(a.plan, b.plan, depth))
    if _is_coded_by_rows(a, rank - 1) and _is_coded_by_rows(b, other_rank - 2):
        # The rows' multiple stands apart in what a backend sums up.
        sides = centered_interval(a.plan), value_interval(b.plan)
        total = depth * float(math.prod(int(side.absolute_maximum.max()) for side in sides))
        bits = min(bits, bits_beside_multiple(real, int(a.plan.multiple.max()), total))
    mantissa, shift = multiplier(real, bits)
    requantization = (
        builder.table(f"{node.name}.factor", mantissa),
        builder.table(f"{node.name}.shift", shift),
    )
    args = (a.node, b.node, builder.step, *a.tables, *b.tables, *requantization, width)
    result = builder.call(dgqc.matmul.default, args, node)
    return Scaled(result, scale, Layout.plain(shape(node))) if factor is None else Logits(result)


def _is_coded_by_rows(codes: OperandCodes, summed: int) -> bool:
    """Whether an operand has 8-bit codes, and one group along the summed axis."""
    return codes.plan.operand.bits <= 8 and (codes.axis != summed or not bool(codes.plan.group.any()))
