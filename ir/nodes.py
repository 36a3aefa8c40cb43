"""A node's arguments by the names in its op's schema, to read and to replace."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from torch import fx
from torch.fx.node import Argument


@dataclass(frozen=True)
class _Schema:
    """What an op's arguments are called, in order, and what they are where they are not given."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each argument."""
        return {name: place for place, name in enumerate(self.names)}


@cache
def _schema(target: Any) -> _Schema:
    """Of an op. Python's own `getitem` has no schema."""
    if target is operator.getitem:
        return _Schema(("source", "index"), {})
    found = target._schema.arguments
    defaults = {item.name: item.default_value for item in found if item.has_default_value()}
    return _Schema(tuple(item.name for item in found), defaults)


def argument_names(node: fx.Node) -> tuple[str, ...]:
    """The names of an op's arguments, in order; `source` and `index` for `operator.getitem`."""
    return _schema(node.target).names


def arguments(node: fx.Node) -> dict[str, Any]:
    """An op's arguments by the names in its schema and in its order, defaults filled in."""
    schema = _schema(node.target)
    given = {**dict(zip(schema.names, node.args, strict=False)), **node.kwargs}
    defaults = schema.defaults
    return {
        name: given[name] if name in given else defaults[name]
        for name in schema.names
        if name in given or name in defaults
    }


def argument(node: fx.Node, name: str) -> Any:
    """One argument of an op by its name. Raises KeyError where the op has none of this name."""
    schema = _schema(node.target)
    if name in node.kwargs:
        return node.kwargs[name]
    place = schema.places[name]
    return node.args[place] if place < len(node.args) else schema.defaults[name]


def replace_argument(node: fx.Node, name: str, value: Argument) -> None:
    """Gives an op another value for one argument, in place. Raises ValueError where it has none so named."""
    place = argument_names(node).index(name)
    if place < len(node.args):
        node.update_arg(place, value)
    else:
        node.update_kwarg(name, value)
