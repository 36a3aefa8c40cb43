"""16-bit values between products: sums, activation functions, resampling."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier, shared_shift_multipliers
from ...ir.arithmetic.lookup import (
    ACTIVATION_PIECES,
    activation_table,
    normal_distribution,
    normal_distribution_by_tanh,
    sigmoid,
)
from ...ir.errors import DgqcError
from ..graph.edit import aten, dgqc, module_path, shape
from .attention import attend
from .builder import IntegerGraphBuilder
from .layout import Layout, channels_last, common_order
from .registry import lowers
from .scores import add_to_logits
from .values import Logits, LoweredValue, OthersProduct, Scaled, StartProduct

CONSTANT_STEPS = 16384
"""The 16-bit code of a scalar."""
SIGMOID_END, NORMAL_END = 16.0, 8.0
"""Where the tables of activation functions end: g is below 2^-17 beyond."""


@lowers(dgqc.at_step.default)
def lower_at_step(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """A folded table becomes 16 bits wide, with a scale per call."""
    table = builder.weight(node.args[0]).double()
    rows = table.reshape(table.shape[0], -1)
    scale = rows.abs().amax(dim=1).clamp(min=1e-9) / 32767
    codes = torch.round(rows / scale[:, None]).to(torch.int16).reshape(table.shape)
    constant = builder.constant(str(node.args[0]), codes)
    layout = Layout.plain(table.shape[1:])
    return Scaled(builder.call(dgqc.at_step.default, (constant, builder.step), node), scale, layout)


def _scalar(builder: IntegerGraphBuilder, number: float) -> Scaled:
    code = CONSTANT_STEPS if number >= 0 else -CONSTANT_STEPS
    node = builder.constant("scalar", torch.tensor([code], dtype=torch.int16))
    scale = torch.full((builder.calls,), max(abs(number), 1e-9) / CONSTANT_STEPS, dtype=torch.float64)
    return Scaled(node, scale, Layout.plain((1,)))


def _pair(builder: IntegerGraphBuilder, node: fx.Node) -> tuple[Scaled, Scaled, Layout]:
    """Both operands of an op that works element by element, and the layout of its result.

    A number broadcasts however the other operand is stored.
    """
    left, right = node.args[:2]
    assert isinstance(left, fx.Node)
    if not isinstance(right, fx.Node):
        value = builder.scaled(left)
        return value, _scalar(builder, float(right)), value.layout  # type: ignore[arg-type]
    rank = len(shape(node))
    values = []
    for source in (left, right):
        value = builder.scaled(source)
        leading = (1,) * (rank - len(value.layout.shape))
        values.append(builder.reshaped(value, (*leading, *value.layout.shape), source))
    order = common_order([value.layout for value in values])
    a, b = (builder.arranged(v, order, source) for v, source in zip(values, (left, right), strict=True))
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
    scale = builder.output_scale(node)
    a, b, layout = _pair(builder, node)
    (a_factor, b_factor), shift = shared_shift_multipliers([a.scale / scale, b.scale / scale])
    tables = [
        builder.table(f"{node.name}.{what}", table)
        for what, table in (("a_factor", a_factor), ("b_factor", b_factor), ("shift", shift))
    ]
    args = (a.node, b.node, builder.step, *tables)
    return Scaled(builder.call(dgqc.add.default, args, node), scale, layout)


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
            scaled = builder.scaled(left)
            return replace(scaled, scale=scaled.scale * number)
    a, b, layout = _pair(builder, node)
    scale = builder.output_scale(node)
    factor, shift = multiplier(a.scale * b.scale / scale, bits_for(2**30))
    tables = (builder.table(f"{node.name}.factor", factor), builder.table(f"{node.name}.shift", shift))
    args = (a.node, b.node, builder.step, *tables)
    return Scaled(builder.call(dgqc.mul.default, args, node), scale, layout)


@lowers(aten.cat.default)
def lower_cat(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """Parts are brought to the result's scale and to one order, then put together."""
    dimension = node.args[1]
    assert isinstance(dimension, int)
    values = [builder.values[part] for part in node.all_input_nodes]
    if all(isinstance(value, Logits) for value in values):
        nodes = [value.node for value in values if isinstance(value, Logits)]
        return Logits(builder.call(aten.cat.default, (nodes, dimension), node))
    scale = builder.output_scale(node)
    parts = node.args[0]
    assert isinstance(parts, list | tuple)
    layout = Layout(shape(node), common_order([builder.scaled(part).layout for part in parts]))
    nodes = []
    for number, part in enumerate(parts):
        scaled = builder.scaled(part, layout.order)
        name = f"{node.name}_part{number}"
        factor, shift = multiplier(scaled.scale / scale, 31)
        tables = (builder.table(f"{name}.factor", factor), builder.table(f"{name}.shift", shift))
        args = (scaled.node, builder.step, *tables)
        nodes.append(builder.call(dgqc.rescale.default, args, node, name))
    result = builder.call(aten.cat.default, (nodes, layout.place(dimension)), node)
    return Scaled(result, scale, layout)


@lowers(aten.silu.default, aten.gelu.default)
def lower_activation(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """SiLU and both forms of GELU, through `dgqc::activation`."""
    value, scale = builder.scaled(node.args[0]), builder.output_scale(node)
    if node.target is aten.silu.default:
        name, function, end = "sigmoid", sigmoid, SIGMOID_END
    elif "tanh" in (*node.args, *node.kwargs.values()):
        name, function, end = "normal_by_tanh", normal_distribution_by_tanh, NORMAL_END
    else:
        name, function, end = "normal", normal_distribution, NORMAL_END
    table = builder.constant(name, activation_table(function, end))
    place, place_shift = multiplier(value.scale * ACTIVATION_PIECES * 8192 / end, 16)
    factor, shift = multiplier(value.scale / scale / 65536, bits_for(2**31))
    tables = [
        builder.table(f"{node.name}.{what}", item)
        for what, item in (
            ("index_factor", place),
            ("index_shift", place_shift),
            ("factor", factor),
            ("shift", shift),
        )
    ]
    args = (value.node, builder.step, table, *tables)
    return Scaled(builder.call(dgqc.activation.default, args, node), scale, value.layout)


@lowers(aten.upsample_nearest2d.vec)
def lower_upsample(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::upsample_nearest`; the scale stays."""
    value = builder.scaled(node.args[0], channels_last(4))
    args = (value.node, *shape(node)[2:])
    result = builder.call(dgqc.upsample_nearest.default, args, node)
    return Scaled(result, value.scale, Layout(shape(node), channels_last(4)))


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
    value = builder.scaled(source, channels_last(4))
    result = builder.call(dgqc.avg_pool2d.default, (value.node, kernel[0], stride[0]), node)
    return Scaled(result, value.scale, Layout(shape(node), channels_last(4)))
