"""Rows of a value: everything along its last axis is one."""

from __future__ import annotations

import math

import torch
from torch import fx


def part(node: fx.Node, number: int = 0) -> torch.Tensor:
    """A node's value on the meta device; one of them where an op has several results."""
    value = node.meta["val"]
    found = value[number] if isinstance(value, list | tuple) else value
    assert isinstance(found, torch.Tensor)
    return found


def row_shape(node: fx.Node) -> tuple[int, ...]:
    """All axes but the last."""
    return tuple(int(size) for size in part(node).shape[:-1])


def row_count(node: fx.Node) -> int:
    """How many rows a node's value has."""
    return math.prod(row_shape(node))


def row_bytes(value: torch.Tensor) -> int:
    """Bytes of one row."""
    return int(value.shape[-1]) * value.element_size()


def value_bytes(value: torch.Tensor) -> int:
    """Bytes of all rows."""
    return math.prod(value.shape) * value.element_size()
