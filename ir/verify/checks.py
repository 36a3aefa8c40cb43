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
class VerificationScope:
    """What a rule may know besides its node.

    values: every node's shape and type, as `ir.shapes.propagated` gives them.
    sources: the placeholders that each node depends on.
    value_range: the smallest and largest integer that can stand in a node's tensor.
    """

    program: Program
    values: Mapping[fx.Node, Any]
    sources: Mapping[fx.Node, frozenset[str]]
    value_range: Callable[[fx.Node], tuple[int, int]]

    @property
    def calls(self) -> int:
        """T, the number of calls of the schedule."""
        return len(self.program.schedule)

    def tensor(self, node: fx.Node) -> torch.Tensor:
        """The constant that a `get_attr` node names."""
        return constant(self.program.graph, str(node.target))


Problems = Iterator[Problem]
VerificationRule = Callable[[fx.Node, VerificationScope], Problems]
"""Gives every problem of one node; none when it is right."""


def anything(node: fx.Node, scope: VerificationScope) -> Problems:
    """The rule of ops that are right wherever their arguments fit."""
    yield from ()


def both(*rules: VerificationRule) -> VerificationRule:
    """All of several rules."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
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
