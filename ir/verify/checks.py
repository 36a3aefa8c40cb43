"""What the verifier's rules are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ..program import Program
from ..tensors import constant


@dataclass(frozen=True)
class Problem:
    """Why a node breaks a rule.

    found: what is there. expected: what would be right. cause: what most likely led to it.
    """

    found: str
    expected: str
    cause: str


@dataclass(frozen=True)
class Scope:
    """What a rule may know besides its node.

    values: every node's shape and type, as `ir.shapes.propagated` gives them.
    sources: the placeholders that each node depends on.
    """

    program: Program
    values: Mapping[fx.Node, Any]
    sources: Mapping[fx.Node, frozenset[str]]

    @property
    def calls(self) -> int:
        """T, the number of calls of the schedule."""
        return len(self.program.schedule)

    def tensor(self, node: fx.Node) -> torch.Tensor:
        """The constant that a `get_attr` node names."""
        return constant(self.program.graph, str(node.target))


Problems = Iterator[Problem]
Rule = Callable[[fx.Node, Scope], Problems]
"""Gives every problem of one node; none when it is right."""


def arguments(node: fx.Node) -> dict[str, Any]:
    """An op's arguments by the names in its schema, defaults filled in."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    named = {item.name: item.default_value for item in schema if item.has_default_value()}
    named.update((item.name, value) for item, value in zip(schema, node.args, strict=False))
    named.update(node.kwargs)
    return named


def anything(node: fx.Node, scope: Scope) -> Problems:
    """The rule of ops that are right wherever their arguments fit."""
    yield from ()


def both(*rules: Rule) -> Rule:
    """All of several rules."""

    def check(node: fx.Node, scope: Scope) -> Problems:
        for rule in rules:
            yield from rule(node, scope)

    return check


def module_path(node: fx.Node) -> str:
    """Where a node comes from in the user's model."""
    return str(node.meta.get("module") or "unknown")


def type_name(value: Any) -> str:
    """`float32 (1, 4)`, for messages."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, list | tuple):
        return f"({', '.join(type_name(item) for item in value)})"
    return repr(value)
