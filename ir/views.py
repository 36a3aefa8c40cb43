"""Values that need no computing: they lie inside another value's memory."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from .nodes import argument, arguments

aten, dgqc = torch.ops.aten, torch.ops.dgqc


@dataclass(frozen=True)
class View:
    """A value that lies inside another: `offset` bytes into `of`."""

    name: str
    of: str
    offset: int


def views_of(nodes: Iterable[fx.Node]) -> dict[str, View]:
    """Every view of a graph, by its name; a view of a view is one of the first value."""
    found: dict[str, View] = {}
    for node in nodes:
        view = view_of(node)
        if view is not None:
            root = found.get(view.of)
            found[node.name] = View(node.name, root.of, root.offset + view.offset) if root else view
    return found


def view_of(node: fx.Node) -> View | None:
    """Where a node's value lies inside that of its first argument, or None where it must be computed."""
    if node.op != "call_function" or not node.all_input_nodes:
        return None
    source = node.all_input_nodes[0]
    if node.target is operator.getitem:
        return View(node.name, f"{source.name}.{argument(node, 'index')}", 0)
    if node.target is aten.reshape.default:
        return View(node.name, source.name, 0)
    if node.target is aten.permute.default:
        shape = tuple(source.meta["val"].shape)
        return View(node.name, source.name, 0) if keeps_order(shape, argument(node, "dims")) else None
    if node.target is aten.slice.Tensor:
        axis, start, step = slice_bounds(node)
        shape = tuple(source.meta["val"].shape)
        # Contiguous where everything before the sliced axis has size 1.
        if math.prod(shape[:axis]) == 1 and step == 1:
            offset = start * math.prod(shape[axis + 1 :]) * source.meta["val"].element_size()
            return View(node.name, source.name, offset)
    return None


def root_of(node: fx.Node, views: dict[str, View]) -> str:
    """The node whose memory a value lies in."""
    view = views.get(node.name)
    return view.of.partition(".")[0] if view else node.name


def is_computed(node: fx.Node, views: dict[str, View]) -> bool:
    """Whether a node's value needs computing: it is no view, and no row of a table."""
    return node.op == "call_function" and node.name not in views and node.target is not dgqc.at_step.default


def keeps_order(shape: tuple[int, ...], order: Any) -> bool:
    """Whether a permutation only moves axes of size 1."""
    kept = [axis % len(shape) for axis in order if shape[axis] != 1]
    return kept == sorted(kept)


def slice_bounds(node: fx.Node) -> tuple[int, int, int]:
    """Axis, start and step of `aten.slice.Tensor`, none of them negative."""
    a = arguments(node)
    shape = tuple(a["self"].meta["val"].shape)
    axis = int(a["dim"]) % len(shape)
    return axis, slice(a["start"], a["end"]).indices(shape[axis])[0], int(a["step"])
