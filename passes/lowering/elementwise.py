"""16-bit values between products: sums, products, concatenations, resampling."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier, normalized, shared_shift_multipliers
from ...ir.errors import DgqcError
from ...ir.ops.captured import channel_axis
from ...ir.plans import PER_OCTAVE, ratios
from ...ir.tensors import compressed
from ..activations.channel_ratios import DEEPEST
from ..graph.edit import aten, dgqc, module_path, shape
from .attention import attend
from .builder import IntegerGraphBuilder
from .exponents import wanted_scale, wanted_value
from .joined import joined
from .layout import Layout, channels_last, common_order
from .registry import lowers
from .scores import add_to_logits
from .values import Logits, LoweredValue, OthersProduct, Scaled, StartProduct

CONSTANT_STEPS = 16384
"""The 16-bit code of a scalar."""
ALIKE = 8.0
"""Octaves between a table's channels up to which all have one scale: 7 bits are left of the quietest."""


@lowers(dgqc.at_step.default)
def lower_at_step(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """A folded table becomes 16 bits wide, with a scale per call and for each of unlike channels."""
    table = builder.weight(node.args[0]).double()
    axis = channel_axis(node)
    high = table.abs().amax(dim=[one + 1 for one in range(table.dim() - 1) if one != axis])
    exponent = _unlike(high)
    steps = torch.ones(1) if exponent is None else ratios(exponent)
    scale = (high / steps).amax(dim=1).clamp(min=1e-9) / 32767
    sizes = [1] * (table.dim() - 1)
    sizes[axis] = -1
    each = (scale[:, None] * steps).reshape(len(scale), *sizes)
    codes = torch.round(table / each).to(torch.int16)
    constant = builder.constant(str(node.args[0]), codes)
    layout = Layout.plain(table.shape[1:])
    result = builder.call(dgqc.at_step.default, (constant, builder.step), node)
    return Scaled(result, scale, layout, None if exponent is None else exponent.reshape(sizes))


def _unlike(high: torch.Tensor) -> torch.Tensor | None:
    """Exponents of channels of which one scale would round some away, int64 (C,); None where it doesn't.

    high: float64 (T, C), the largest magnitudes.
    """
    below = torch.log2(
        (high / high.amax(dim=1, keepdim=True).clamp(min=1e-300)).amax(dim=0).clamp(min=1e-300)
    )
    if not bool(((below < -ALIKE) & (high.amax(dim=0) > 0)).any()):
        return None
    exponent = torch.ceil(below * PER_OCTAVE).clamp(min=-DEEPEST).to(torch.int64)
    return exponent - exponent.min()


def _scalar(builder: IntegerGraphBuilder, number: float) -> Scaled:
    code = CONSTANT_STEPS if number >= 0 else -CONSTANT_STEPS
    node = builder.constant("scalar", torch.tensor([code], dtype=torch.int16))
    scale = torch.full((builder.calls,), max(abs(number), 1e-9) / CONSTANT_STEPS, dtype=torch.float64)
    return Scaled(node, scale, Layout.plain((1,)))


def _pair(builder: IntegerGraphBuilder, node: fx.Node, wide: bool = False) -> tuple[Scaled, Scaled, Layout]:
    """Both operands of an op that works element by element, and the layout of its result. wide: whether
    operands may be wide.

    Exponents lie along the last axis in memory. A number broadcasts however the other operand is stored.
    """
    left, right = node.args[:2]
    rank, axis = len(shape(node)), channel_axis(node)
    values = []
    for source in (left, right):
        if not isinstance(source, fx.Node):
            values.append(_scalar(builder, float(source)))  # type: ignore[arg-type]
            continue
        value = builder.sole(source, wide=wide)
        leading = (1,) * (rank - len(value.layout.shape))
        value = builder.reshaped(value, (*leading, *value.layout.shape), source)
        values.append(value if value.along(axis) is not None else builder.changed(value, None, source))
    layouts = [value.layout for value in values if len(value.layout.shape) == rank]
    order = common_order(layouts)
    if any(value.exponent is not None for value in values) and order[-1] != axis:
        order = (*(one for one in order if one != axis), axis)
    a, b = (
        builder.arranged(value, order, source) if isinstance(source, fx.Node) else value
        for value, source in zip(values, (left, right), strict=True)
    )
    return a, b, Layout(shape(node), order)


@lowers(aten.add.Tensor)
def lower_add(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::add`; or the two parts of a split attention, which are emitted here."""
    values = [builder.values.get(a) for a in node.args[:2] if isinstance(a, fx.Node)]
    others = [value for value in values if isinstance(value, OthersProduct)]
    if others and any(isinstance(value, StartProduct) for value in values):
        return attend(builder, node, others[0].probabilities, others[0].values)
    if any(isinstance(value, Logits) for value in values):
        return add_to_logits(builder, node)
    wanted = wanted_value(builder, node)
    a, b, layout = _pair(builder, node, wide=True)
    reals, columns = _by_column(builder, node, (a, b), wanted.exponent, layout)
    (a_factor, b_factor), shift = shared_shift_multipliers([real / wanted.scale for real in reals])
    tables = [
        builder.table(f"{node.name}.{what}", table)
        for what, table in (("a_factor", a_factor), ("b_factor", b_factor), ("shift", shift))
    ]
    without = () if columns or not wanted.wide else (None, None)
    args = (a.node, b.node, builder.step, *tables, *columns, *without, *wanted.arguments)
    result = builder.call(dgqc.add.default, args, node)
    return Scaled(result, wanted.scale, layout, wanted.exponent, wanted.wide)


def _by_column(
    builder: IntegerGraphBuilder,
    node: fx.Node,
    sides: tuple[Scaled, Scaled],
    exponent: torch.Tensor | None,
    layout: Layout,
) -> tuple[list[torch.Tensor], list[fx.Node]]:
    """The sides' scales, float64 (T,) each, and how many times as much each column of theirs counts, in the
    result's steps; no columns where all count the same.

    exponent: of the result.
    """
    axis = layout.order[-1]
    nothing = torch.zeros((1,) * len(layout.shape), dtype=torch.int64)
    of_result = nothing if exponent is None else exponent
    between = [(nothing if side.exponent is None else side.exponent) - of_result for side in sides]
    if all(compressed(one).numel() == 1 for one in between):
        return [side.scale * ratios(one.max()) for side, one in zip(sides, between, strict=True)], []
    reals, columns = [], []
    for side, one, what in zip(sides, between, ("a", "b"), strict=True):
        column, unit = normalized(ratios(one).reshape(-1).expand(layout.shape[axis]))
        reals.append(side.scale * unit * 2.0**31)
        columns.append(builder.table(f"{node.name}.{what}_column", column))
    return reals, columns


@lowers(aten.mul.Tensor)
def lower_mul(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::mul`; a positive scalar only changes the scale, or waits in a logit's factor."""
    left, right = node.args[0], node.args[1]
    assert isinstance(left, fx.Node)
    value = builder.values[left]
    if not isinstance(right, fx.Node):
        number = float(right)  # type: ignore[arg-type]
        if isinstance(value, Logits):
            return value  # `mixed_by_softmax` has put the factor into the product
        if number > 0:
            scaled = builder.sole(left)
            return replace(scaled, scale=scaled.scale * number)
    a, b, layout = _pair(builder, node)
    scale, exponent = wanted_scale(builder, node)
    a, b = _one_sided(builder, (a, b), exponent, left)
    factor, shift = multiplier(a.scale * b.scale / scale, bits_for(2**30))
    tables = (builder.table(f"{node.name}.factor", factor), builder.table(f"{node.name}.shift", shift))
    args = (a.node, b.node, builder.step, *tables)
    return Scaled(builder.call(dgqc.mul.default, args, node), scale, layout, exponent)


def _one_sided(
    builder: IntegerGraphBuilder, sides: tuple[Scaled, Scaled], exponent: torch.Tensor | None, like: fx.Node
) -> tuple[Scaled, Scaled]:
    """The sides of a product: one with the result's exponents, which is the one that has them or else the
    smaller one, the other with none."""
    a, b = sides
    first = _has(a, exponent) or (not _has(b, exponent) and a.layout.size <= b.layout.size)
    wanted = (exponent, None) if first else (None, exponent)
    left, right = (builder.changed(side, one, like) for side, one in zip(sides, wanted, strict=True))
    return left, right


def _has(value: Scaled, exponent: torch.Tensor | None) -> bool:
    """Whether a value's exponents are these, but for a number that all differ by."""
    if value.exponent is None or exponent is None:
        return value.exponent is exponent
    return compressed(value.exponent - exponent).numel() == 1


@lowers(aten.cat.default)
def lower_cat(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """Parts are brought to the result's scale and to one order, then put together."""
    dimension = node.args[1]
    assert isinstance(dimension, int)
    values = [builder.values[part] for part in node.all_input_nodes]
    if all(isinstance(value, Logits) for value in values):
        nodes = [value.node for value in values if isinstance(value, Logits)]
        return Logits(builder.call(aten.cat.default, (nodes, dimension), node))
    plan = builder.output_plan(node)
    parts = node.args[0]
    assert isinstance(parts, list | tuple)
    layout = Layout(shape(node), common_order([builder.apart(part).layout for part in parts]))
    if plan.exponent is not None:
        return joined(builder, node, [builder.sole(part, layout.order, wide=True) for part in parts], layout)
    scale, nodes = plan.scale, []
    for number, part in enumerate(parts):
        scaled = builder.scaled(part, layout.order)
        name = f"{node.name}_part{number}"
        factor, shift = multiplier(scaled.scale / scale, 31)
        tables = (builder.table(f"{name}.factor", factor), builder.table(f"{name}.shift", shift))
        args = (scaled.node, builder.step, *tables)
        nodes.append(builder.call(dgqc.rescale.default, args, node, name))
    result = builder.call(aten.cat.default, (nodes, layout.place(dimension)), node)
    return Scaled(result, scale, layout)


@lowers(aten.upsample_nearest2d.vec)
def lower_upsample(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::upsample_nearest`; the scale stays."""
    value = _by_channel(builder, node.args[0])
    args = (value.node, *shape(node)[2:])
    result = builder.call(dgqc.upsample_nearest.default, args, node)
    return Scaled(result, value.scale, Layout(shape(node), channels_last(4)), value.exponent)


def _by_channel(builder: IntegerGraphBuilder, source: object) -> Scaled:
    """An image, channels last, whose positions share their scales."""
    value = builder.sole(source, channels_last(4))
    return value if value.along(1) is not None else builder.scaled(source, channels_last(4))


@lowers(aten.avg_pool2d.default)
def lower_avg_pool(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::avg_pool2d` over square windows without padding; the scale stays."""
    source, kernel, stride, padding = (*node.args, *(None,) * 4)[:4]
    assert isinstance(kernel, list | tuple)
    stride = stride or kernel
    assert isinstance(stride, list | tuple)
    if len(set(kernel)) != 1 or len(set(stride)) != 1 or any(padding or ()):  # type: ignore[arg-type]
        raise DgqcError(
            f"{module_path(node)} pools windows that are not square or padded, which has no integer form."
        )
    value = _by_channel(builder, source)
    result = builder.call(dgqc.avg_pool2d.default, (value.node, kernel[0], stride[0]), node)
    return Scaled(result, value.scale, Layout(shape(node), channels_last(4)), value.exponent)
