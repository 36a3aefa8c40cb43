"""Rows of tables and of values that ids of tokens name: 16 bits wide, in the scale of the whole."""

from __future__ import annotations

from dataclasses import replace

from torch import fx

from ..graph.edit import dgqc, shape
from .builder import IntegerGraphBuilder
from .layout import Layout, plain
from .registry import lowers
from .values import LoweredValue, Scaled


@lowers(dgqc.embed.default)
def lower_embed(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::embed` of the table's 16-bit codes."""
    table, ids = (builder.scaled(argument) for argument in node.args)
    result = builder.call(dgqc.embed.default, (table.node, ids.node), node)
    return Scaled(result, table.scale, Layout.plain(shape(node)))


@lowers(dgqc.end_token.default)
def lower_end_token(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::end_token` of rows as they are."""
    source, ids, end = node.args
    value = builder.scaled(source, plain(3))
    args = (value.node, builder.scaled(ids).node, end)
    result = builder.call(dgqc.end_token.default, args, node)
    return replace(value, node=result, layout=Layout.plain(shape(node)))
