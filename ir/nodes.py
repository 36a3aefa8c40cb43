"""A node's arguments by the names in its op's schema, to read and to replace."""

from __future__ import annotations

import operator
from typing import Any

from torch import fx
from torch.fx.node import Argument

_GETITEM = ("source", "index")
"""Python's own function has no schema."""


def argument_names(node: fx.Node) -> tuple[str, ...]:
    """The names of an op's arguments, in order; `source` and `index` for `operator.getitem`."""
    if node.target is operator.getitem:
        return _GETITEM
    return tuple(item.name for item in node.target._schema.arguments)  # type: ignore[union-attr]


def arguments(node: fx.Node) -> dict[str, Any]:
    """An op's arguments by the names in its schema and in its order, defaults filled in."""
    given = {**dict(zip(argument_names(node), node.args, strict=False)), **node.kwargs}
    if node.target is operator.getitem:
        return given
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    defaults = {item.name: item.default_value for item in schema if item.has_default_value()}
    known = (item.name for item in schema if item.name in given or item.name in defaults)
    return {name: given[name] if name in given else defaults[name] for name in known}


def argument(node: fx.Node, name: str) -> Any:
    """One argument of an op by its name. Raises KeyError where the op has none of this name."""
    return arguments(node)[name]


def replace_argument(node: fx.Node, name: str, value: Argument) -> None:
    """Gives an op another value for one argument, in place. Raises ValueError where it has none so named."""
    place = argument_names(node).index(name)
    if place < len(node.args):
        node.update_arg(place, value)
    else:
        node.update_kwarg(name, value)
