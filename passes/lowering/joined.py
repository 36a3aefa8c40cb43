"""Concatenations whose parts keep their scales, but for the channels that a norm takes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import multiplier
from ..graph.edit import aten, dgqc
from .builder import IntegerGraphBuilder
from .layout import Layout
from .values import Joined, Scaled


@dataclass(frozen=True)
class Piece:
    """Channels first .. last - 1 of a part. group: of the norm, where it shares that with other parts."""

    part: int
    first: int
    last: int
    group: int | None


def joined(builder: IntegerGraphBuilder, node: fx.Node, parts: Sequence[Scaled], layout: Layout) -> Joined:
    """Parts put together as they are, each at its own scales. parts: in the layout's order.

    Where a group of a norm downstream has channels of several parts, these come to one scale.
    """
    axis = int(node.args[1]) % len(layout.shape)  # type: ignore[arg-type]
    pieces = cut([part.layout.shape[axis] for part in parts], _channels_of_a_group(node, axis, layout))
    parts = _of_one_width(builder, node, parts, any(one.group is not None for one in pieces))
    values = [_taken(builder, node, parts[one.part], one, axis) for one in pieces]
    for group in {one.group for one in pieces if one.group is not None}:
        places = [place for place, one in enumerate(pieces) if one.group == group]
        scale = torch.stack([values[place].scale for place in places]).amax(dim=0)
        for place in places:
            values[place] = _rescaled(builder, node, values[place], scale, f"{node.name}_shared{place}")
    result = builder.call(aten.cat.default, ([one.node for one in values], layout.place(axis)), node)
    whole = builder.output_plan(node).scales.amax(dim=1)
    return Joined(result, layout, tuple(values), axis, whole)


def _of_one_width(
    builder: IntegerGraphBuilder, node: fx.Node, parts: Sequence[Scaled], shared: bool
) -> Sequence[Scaled]:
    """All parts wide where one is; all narrow where some share scales. shared: whether some do."""
    if not any(part.wide for part in parts):
        return parts
    sources = node.all_input_nodes
    if shared:
        pairs = zip(parts, sources, strict=True)
        return [builder.narrowed(part, source) if part.wide else part for part, source in pairs]
    return [builder.widened(part, source) for part, source in zip(parts, sources, strict=True)]


def cut(sizes: Sequence[int], group: int) -> list[Piece]:
    """Parts of so many channels, cut where a group of a norm begins that has channels of the next part, too.

    group: channels of each.
    """
    pieces: list[Piece] = []
    offset = 0
    for part, size in enumerate(sizes):
        end = offset + size
        first, last = -(-offset // group) * group, end // group * group
        inner = [(offset, first), (first, last), (last, end)] if first <= last else [(offset, end)]
        for start, stop in inner:
            if start < stop:
                shared = None if start % group == 0 and stop % group == 0 else start // group
                pieces.append(Piece(part, start - offset, stop - offset, shared))
        offset = end
    return pieces


def _channels_of_a_group(node: fx.Node, axis: int, layout: Layout) -> int:
    """Channels that norms downstream take together; 1 where none reads the value."""
    readers = [user for site in node.users for user in site.users if site.target is dgqc.site.default]
    counts = [int(user.args[1]) for user in readers if user.target is aten.group_norm.default]  # type: ignore[arg-type]
    return layout.shape[axis] // min(counts) if counts and axis == 1 else 1


def _taken(builder: IntegerGraphBuilder, node: fx.Node, part: Scaled, piece: Piece, axis: int) -> Scaled:
    """A piece of a part; with one scale where it shares a norm's group."""
    count = piece.last - piece.first
    if count < part.layout.shape[axis]:
        sizes = [*part.layout.shape]
        sizes[axis] = count
        exponent = part.exponent
        if exponent is not None and exponent.shape[axis] > 1:
            exponent = exponent.narrow(axis, piece.first, count)
        args = (part.node, part.layout.place(axis), piece.first, piece.last)
        name = f"{node.name}_part{piece.part}_from{piece.first}"
        taken = builder.call(aten.slice.Tensor, args, node, name)
        part = Scaled(taken, part.scale, Layout(tuple(sizes), part.layout.order), exponent, part.wide)
    return part if piece.group is None else builder.changed(part, None, node)


def _rescaled(
    builder: IntegerGraphBuilder, node: fx.Node, value: Scaled, scale: torch.Tensor, name: str
) -> Scaled:
    if torch.equal(value.scale, scale):
        return value
    factor, shift = multiplier(value.scale / scale, 31)
    tables = (builder.table(f"{name}.factor", factor), builder.table(f"{name}.shift", shift))
    result = builder.call(dgqc.rescale.default, (value.node, builder.step, *tables), node, name)
    return Scaled(result, scale, value.layout)
