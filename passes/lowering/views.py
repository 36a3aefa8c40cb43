"""Permute, reshape, slice, index: a permute of the captured graph moves nothing, it renames stored axes."""

from __future__ import annotations

from dataclasses import replace

from torch import fx

from ..graph.edit import aten, dgqc, shape
from .attention import lower_probability_slice
from .builder import IntegerGraphBuilder
from .exponents import viewed
from .layout import Layout
from .registry import lowers
from .values import CodeRows, LoweredValue, OperandCodes, PendingProbabilities, Scaled


@lowers(aten.permute.default)
def lower_permute(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """No op: the memory is read in another order."""
    value, dimensions = builder.sole(node.args[0]), node.args[1]
    assert isinstance(dimensions, list | tuple)
    exponent = viewed(value.exponent, value.layout.shape, node)
    return replace(value, layout=value.layout.permuted(dimensions), exponent=exponent)  # type: ignore[arg-type]


@lowers(aten.reshape.default)
def lower_reshape(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """In place where the stored order allows that."""
    return builder.reshaped(builder.sole(node.args[0]), shape(node), node)


@lowers(aten.slice.Tensor)
def lower_slice(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """Along the axis as it is stored; parts of a split attention are emitted with the whole."""
    source, axis, *bounds = node.args
    assert isinstance(source, fx.Node)
    assert isinstance(axis, int)
    value = builder.values[source]
    if isinstance(value, PendingProbabilities):
        return lower_probability_slice(value, node)
    if isinstance(value, OperandCodes) or _is_operand_site(source):
        return CodeRows(source)
    scaled = builder.sole(source)
    args = (scaled.node, scaled.layout.place(axis), *bounds)
    layout = Layout(shape(node), scaled.layout.order)
    exponent = viewed(scaled.exponent, scaled.layout.shape, node)
    return Scaled(builder.call(aten.slice.Tensor, args, node), scaled.scale, layout, exponent)


@lowers(aten.index_select.default)
def lower_index_select(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::take` along the axis as it is stored; the scale stays."""
    source, axis, index = node.args
    assert isinstance(axis, int)
    scaled = builder.scaled(source)
    places = builder.table(f"{node.name}.index", builder.weight(index))
    args = (scaled.node, places, scaled.layout.place(axis))
    layout = Layout(shape(node), scaled.layout.order)
    return replace(scaled, node=builder.call(dgqc.take.default, args, node), layout=layout)


def _is_operand_site(node: fx.Node) -> bool:
    return node.target is dgqc.site.default and ".values" in str(node.args[1])
